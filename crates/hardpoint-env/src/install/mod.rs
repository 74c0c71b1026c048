//! Owns filling a folder with an environment. Plain ones need the interpreter alone; packages are
//! installed by uv, or by pip where there is no uv or uv cannot reach the package index.
//! Knows nothing of locks, keys and pointers.

mod index;
pub(crate) mod patience;
pub(crate) mod run;
pub(crate) mod uv;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use self::patience::Patience;
use self::run::{Finished, Program, RunError};
use crate::error::{EnvError, looks_like_network};
use crate::event::{EnvEvent, Listener};
use crate::interpreter::Interpreter;
use crate::layout::failed;
use crate::limits::INSTALL_IDLE;
use crate::machine::Machine;
use crate::store::Requirements;

/// What filled an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installer {
    Venv,
    Uv,
    Pip,
}

impl Installer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Venv => "venv",
            Self::Uv => "uv",
            Self::Pip => "pip",
        }
    }
}

/// With less than this an install has failed for lack of space, whatever it says.
const FREE_BYTES_MIN: u64 = 16 << 20;

/// One build of one environment.
pub(crate) struct Build<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) machine: &'a Machine,
    pub(crate) python: &'a Interpreter,
    pub(crate) folder: &'a Path,
    pub(crate) tools: &'a Path,
}

impl Build<'_> {
    /// Fills the folder.
    pub(crate) async fn make(
        &self,
        requirements: &Requirements,
        on_event: Listener<'_>,
    ) -> Result<Installer, EnvError> {
        if requirements.is_empty() {
            self.venv(&["--without-pip"], on_event).await?;
            return Ok(Installer::Venv);
        }
        let uv = uv::find_or_install(self, on_event).await;
        if let Some(uv) = uv {
            match self.install_with_uv(&uv, requirements, on_event).await {
                Err(EnvError::Install { tail, .. }) if looks_like_network(&tail) => {
                    self.tell("packages", "uv cannot reach the package index: trying pip", on_event);
                }
                other => return other.map(|()| Installer::Uv),
            }
        }
        self.install_with_pip(requirements, on_event).await?;
        Ok(Installer::Pip)
    }

    async fn install_with_uv(
        &self,
        uv: &Path,
        requirements: &Requirements,
        on_event: Listener<'_>,
    ) -> Result<(), EnvError> {
        let venv =
            self.uv_program(uv).args(["venv", "--quiet", "--allow-existing", "--no-project", "--python"]);
        let venv = venv.args([self.python.executable.as_os_str(), self.folder.as_os_str()]);
        self.run("environment", &venv, on_event).await?;
        let file = self.write_requirements(requirements)?;
        let index = index::of_pip(self.machine, &self.python.executable).await;
        let mut install = self
            .uv_program(uv)
            .args(["pip", "install", "--no-progress", "--compile-bytecode", "--python"])
            .args([self.folder.join("bin/python").as_os_str(), "--requirements".as_ref(), file.as_os_str()])
            .args(index.arguments);
        install.variables.extend(index.variables);
        self.run("packages", &install, on_event).await
    }

    fn uv_program<'b>(&'b self, uv: &Path) -> Program<'b> {
        self.program(uv).var("UV_PYTHON_DOWNLOADS", "never").var("UV_NO_PROGRESS", "1")
    }

    async fn install_with_pip(
        &self,
        requirements: &Requirements,
        on_event: Listener<'_>,
    ) -> Result<(), EnvError> {
        self.venv(&["--clear"], on_event).await?;
        let file = self.write_requirements(requirements)?;
        let install = self
            .program(self.folder.join("bin/python"))
            .args(["-m", "pip", "install", "--no-input", "--progress-bar", "off", "-r"])
            .args([file]);
        self.run("packages", &install, on_event).await
    }

    async fn venv(&self, options: &[&str], on_event: Listener<'_>) -> Result<(), EnvError> {
        self.venv_at(self.folder, options, on_event).await
    }

    async fn venv_at(&self, folder: &Path, options: &[&str], on_event: Listener<'_>) -> Result<(), EnvError> {
        let venv =
            self.program(&self.python.executable).args(["-I", "-m", "venv"]).args(options).args([folder]);
        self.run("environment", &venv, on_event).await
    }

    fn write_requirements(&self, requirements: &Requirements) -> Result<PathBuf, EnvError> {
        let file = self.folder.join("requirements.txt");
        std::fs::write(&file, requirements.to_text()).map_err(|source| failed("write", &file, source))?;
        Ok(file)
    }

    fn program(&self, path: impl Into<PathBuf>) -> Program<'_> {
        Program::new(self.machine, path, Patience::Idle(INSTALL_IDLE, self.folder.to_owned()))
            .var("NO_COLOR", "1")
            .var("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .var("PYTHONUNBUFFERED", "1")
    }

    fn tell(&self, what: &'static str, line: &str, on_event: Listener<'_>) {
        on_event(EnvEvent::Installing { plugin: self.plugin.to_owned(), what, line: line.to_owned() });
    }

    /// Runs a step, passes its lines on, and turns a bad end into an error.
    async fn run(
        &self,
        what: &'static str,
        program: &Program<'_>,
        on_event: Listener<'_>,
    ) -> Result<(), EnvError> {
        let finished = program.run(|line| self.tell(what, line, on_event)).await;
        let plugin = self.plugin.to_owned();
        let command = program.command_line();
        match finished {
            Ok(finished) if finished.is_success() => Ok(()),
            Ok(finished) => {
                let ending = Finished::ending(&finished);
                let mut tail = finished.tail;
                tail.extend(full_disk(self.folder));
                Err(EnvError::Install { plugin, command, ending, tail })
            }
            Err(RunError::Start(source)) => Err(EnvError::Start { plugin, command, source }),
            Err(RunError::Stopped(limit, tail)) => {
                Err(EnvError::Stalled { plugin, command, seconds: limit.as_secs(), tail })
            }
        }
    }
}

/// A value for a program, from text.
fn word(text: impl Into<OsString>) -> OsString {
    text.into()
}

/// Installers rarely say that the disk is full; the disk does.
fn full_disk(folder: &Path) -> Option<String> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let free = disk.f_bavail * disk.f_frsize;
    let said = || format!("no space left for {}: {} KB are free", folder.display(), free >> 10);
    (free < FREE_BYTES_MIN).then(said)
}
