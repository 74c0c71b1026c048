//! The real `hardpoint serve`, started again and again on one folder.
//!
//! Owns the folder, the processes of servers and what they leave. Must not know jobs.

use super::http::Address;
use super::work::PLUGINS;
use crate::orphans;
use anyhow::{Context as _, Result, bail, ensure};
use hardpoint_testkit::{left_by_host, soon};
use rustix::process::{Pid, Signal};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server listens within this; the first one also makes environments, but listens before.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
/// After the death of a server everything of it is gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(3);
/// An orderly end takes at most the time for jobs in flight and for workers; see the configuration below.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

const PLUGIN: &str = include_str!("../../../../../../tests/plugins/witness/plugin.py");
const MANIFEST: &str = include_str!("../../../../../../tests/plugins/witness/hardpoint.toml");

/// Everything on disk that outlives a server.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// The binary that is tested.
    program: PathBuf,
}

/// A server that lives.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    said: PathBuf,
}

/// A server that died, and what may be left of it for a moment.
#[derive(Debug)]
pub(super) struct Grave {
    host: u32,
    died: Instant,
}

impl Folder {
    pub(super) fn lay_out(root: &Path, program: &Path) -> Result<Self> {
        let folder = Self { root: root.to_owned(), program: program.to_owned() };
        for name in ["data", "here", "witness"] {
            fs::create_dir_all(root.join(name))?;
        }
        for (name, concurrency) in PLUGINS {
            let plugin = root.join("plugins").join(name);
            fs::create_dir_all(&plugin)?;
            fs::write(plugin.join("plugin.py"), PLUGIN)?;
            let manifest = MANIFEST
                .replace("\"witness\"", &format!("\"{name}\""))
                .replace("[limits]", &format!("[limits]\nconcurrency = {concurrency}"));
            let witness = folder.witness();
            let env = format!("\n[env]\nCHAOS_WITNESS = \"{}\"\n", witness.display());
            fs::write(plugin.join("hardpoint.toml"), manifest + &env)?;
        }
        Ok(folder)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Where tries of jobs leave their traces.
    pub(super) fn witness(&self) -> PathBuf {
        self.root.join("witness")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Plugins come back at once and for ever; what is asked to stop has little time.
    pub(super) fn configure(&self, on_host_loss: &str, running_max: u64) -> Result<()> {
        let text = format!(
            "restart: {{policy: always, delays_seconds: [0.01], attempts_max: 1000, healthy_seconds: 1}}\n\
             stop: {{drain_seconds: 0.5, grace_seconds: 0.5}}\n\
             jobs: {{on_host_loss: {on_host_loss}, running_max: {running_max}, cancel_grace_seconds: 0.3}}\n"
        );
        fs::write(self.root.join("here/hardpoint.yaml"), text).context("no configuration")
    }

    /// The command `hardpoint`, as anybody on this machine would call it.
    pub(super) fn hardpoint(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg("--as").arg(&self.program).arg("--").current_dir(self.root.join("here"));
        // What a developer has set for servers of their own.
        let own = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("HARDPOINT_");
        std::env::vars_os().map(|(name, _)| name).filter(own).for_each(|name| {
            command.env_remove(name);
        });
        command.env("HARDPOINT_DATA_DIR", self.data()).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        command
    }

    pub(super) fn start(&self) -> Result<Server> {
        let said = self.root.join("said");
        let log = File::options().append(true).create(true).open(self.log())?;
        let mut command = self.hardpoint();
        command.args(["serve", "--listen", "127.0.0.1:0", "--plugins-dir"]).arg(self.root.join("plugins"));
        command.stdout(File::create(&said)?).stderr(log);
        Ok(Server { child: command.spawn().context("the server cannot be started")?, said })
    }

    /// Waits until it listens.
    pub(super) fn address(&self, server: &mut Server) -> Result<Address> {
        let mut line = String::new();
        let mut ended = None;
        soon(LISTENS_WITHIN, || {
            line = fs::read_to_string(&server.said).unwrap_or_default();
            ended = server.child.try_wait().ok().flatten();
            line.ends_with('\n') || ended.is_some()
        });
        ensure!(ended.is_none(), "the server ended by itself: {ended:?}");
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            bail!("the server did not listen within {LISTENS_WITHIN:?}");
        };
        let token = fs::read_to_string(self.data().join("token"))?;
        Ok(Address { url: url.to_owned(), token: token.trim().to_owned() })
    }

    /// What is left of a dead server; empty when all is well.
    pub(super) fn left_of(&self, grave: &Grave) -> Vec<String> {
        let wait = GONE_WITHIN.saturating_sub(grave.died.elapsed());
        soon(wait, || left_by_host(grave.host, &self.data()).is_empty());
        left_by_host(grave.host, &self.data())
    }

    /// The same while no server lives: then there is no child of this process at all, shims included.
    pub(super) fn left_of_last(&self, grave: &Grave) -> Vec<String> {
        let wait = GONE_WITHIN.saturating_sub(grave.died.elapsed());
        soon(wait, || orphans::all_reaped() && left_by_host(grave.host, &self.data()).is_empty());
        let mut left = orphans::survivors();
        left.extend(left_by_host(grave.host, &self.data()));
        left
    }
}

impl Server {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn ask_to_stop(&self) -> Result<()> {
        Ok(rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// By SIGKILL. It must have lived until then, or have ended in order.
    pub(super) fn kill(mut self) -> Result<Grave> {
        self.child.kill()?;
        let status = self.child.wait()?;
        let as_meant = status.signal() == Some(Signal::KILL.as_raw()) || status.success();
        ensure!(as_meant, "the server ended by itself: {status}");
        Ok(Grave { host: self.child.id(), died: Instant::now() })
    }

    /// Waits for its orderly end.
    pub(super) fn stop(mut self) -> Result<Grave> {
        self.ask_to_stop()?;
        let mut status = None;
        soon(STOPS_WITHIN, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        let Some(status) = status else { bail!("the server did not stop within {STOPS_WITHIN:?}") };
        ensure!(status.code() == Some(0), "the server that was asked to stop ended with {status}");
        Ok(Grave { host: self.child.id(), died: Instant::now() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Becomes another program, which dies with the process that started this one: whoever kills the killer must not
/// leave a server behind.
pub(crate) fn become_program(program: &Path, args: &[String]) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Err(Command::new(program).args(args).exec()).with_context(|| program.display().to_string())
}
