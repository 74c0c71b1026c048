//! The step that tests the HTTP API against its own description: the real server on a folder of its own, and
//! schemathesis with every check that it has. Whatever this step starts, it ends.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, check, program};
use crate::python::{Tools, environment, newest, tool};
use crate::tree;

/// Plugins that behave well: what they are asked for is answered, whatever it is.
const PLUGINS: [&str; 1] = ["well"];
/// How long the server may take until its plugins are ready, and until it has ended.
const PATIENCE: Duration = Duration::from_mins(1);
/// Test cases per route and phase: about half a minute in all.
const EXAMPLES: &str = "50";
/// Names the seed of a run that is to be repeated, or `random`.
const SEED: &str = "HARDPOINT_API_SEED";
/// The same requests in every run, so that a change is judged by what it changes.
const SEED_OF_EVERY_RUN: &str = "1795221242";

/// Routes that take plugins away from the others are tested afterwards, with the list that names plugins.
const VERBS: &str = "/(load|unload|restart|enable|disable|prefetch)$";
const VERBS_AND_LIST: &str = "/(load|unload|restart|enable|disable|prefetch|v1/plugins)$";

pub(super) fn test() -> Result<Vec<String>> {
    let python = environment(&newest()?, Tools::Api)?;
    check(cargo().args(["build", "--locked", "--package", "hardpoint"]))?;
    let seed = match env::var(SEED) {
        Ok(random) if random == "random" => now(),
        Ok(seed) => seed,
        Err(_) => SEED_OF_EVERY_RUN.to_owned(),
    };
    println!("-- repeat this run with {SEED}={seed}");
    let folder = tree::root().join("target/apitest");
    let server = Server::start(&folder)?;
    let url = format!("{}/openapi.json", server.url);
    for filter in [["--exclude-path-regex", VERBS], ["--include-path-regex", VERBS_AND_LIST]] {
        let mut command = tool(&python);
        command.env("HARDPOINT_TOKEN", &server.token).env("PYTHONPATH", tree::root().join("xtask"));
        command.current_dir(&folder);
        command.args(["-m", "schemathesis.cli", "--config-file"]).arg(config());
        command.args(["run", &url, "--seed", &seed, "--max-examples", EXAMPLES]).args(filter);
        check(&mut command)?;
    }
    server.stop()?;
    Ok(vec![format!("schemathesis ran with seed {seed}")])
}

fn config() -> PathBuf {
    tree::root().join("xtask/schemathesis.toml")
}

fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}

/// A running server. Dropping it kills it.
struct Server {
    child: Child,
    url: String,
    token: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let (data, plugins) = (folder.join("data"), folder.join("plugins"));
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(&plugins)?;
        for plugin in PLUGINS {
            symlink(tree::root().join("tests/plugins").join(plugin), plugins.join(plugin))?;
        }
        let log = fs::File::create(folder.join("log"))?;
        let mut command = program(tree::root().join("target/debug/hardpoint"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        command.arg("--plugins-dir").arg(&plugins).current_dir(folder);
        // What a developer has set for servers of their own.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HARDPOINT_")) {
            command.env_remove(name);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let child = child.context("cannot start `hardpoint serve`")?;
        let mut server = Self { child, url: String::new(), token: String::new() };
        let mut line = String::new();
        let stdout = server.child.stdout.take().context("the server has no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            bail!("the server does not listen; {} says why", folder.join("log").display());
        };
        url.clone_into(&mut server.url);
        fs::read_to_string(data.join("token"))?.trim().clone_into(&mut server.token);
        let started = Instant::now();
        while !server.is_ready()? {
            if started.elapsed() > PATIENCE {
                bail!("the plugins did not become ready; {} says why", folder.join("log").display());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn is_ready(&self) -> Result<bool> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let token = &self.token;
        write!(
            stream,
            "GET /v1/ready HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }

    /// Ends it in order: it must not need more than a polite request.
    fn stop(mut self) -> Result<()> {
        check(program("kill").arg(self.child.id().to_string()))?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("the server ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the server did not end within {PATIENCE:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
