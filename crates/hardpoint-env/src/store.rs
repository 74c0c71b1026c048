//! Owns making an environment ready: reuse it, or wait for whoever builds it, or build it.
//!
//! ```text
//! find interpreter -> key -> ready? ---------------------------------> Environment
//!                             | no                                        ^
//!                             v                                           |
//!                           lock -> ready now? -> build -> try it -> switch
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use hardpoint_model::Manifest;
use hardpoint_process::Launcher;
use rustix::fs::Access;

use crate::error::EnvError;
use crate::event::{EnvEvent, Listener};
use crate::given;
use crate::install::{Build, Installer};
use crate::interpreter::{self, Interpreter, Interpreters};
use crate::key::{FORMAT, key};
use crate::layout::{Marker, Slot, failed};
use crate::limits::REQUIREMENTS_BYTES_MAX;
use crate::machine::Machine;
use crate::settings::Settings;

/// What is installed into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirements {
    /// One requirement per item, as for `pip install`.
    List(Vec<String>),
    /// The text of a requirements file that pins everything.
    Lock(String),
}

impl Requirements {
    /// Whether nothing is installed.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Lock(text) => {
                text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
            }
        }
    }

    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::List(list) => list.iter().flat_map(|line| [line.trim(), "\n"]).collect(),
            Self::Lock(text) => text.clone(),
        }
    }
}

/// An environment that a plugin wants.
#[derive(Debug, Clone)]
pub struct EnvRequest {
    /// The plugin, for messages.
    pub plugin: String,
    /// The Python versions it runs on.
    pub requires: String,
    /// What to install.
    pub requirements: Requirements,
    /// An environment that is there already: its folder or its interpreter. Then nothing is built or installed.
    pub given: Option<PathBuf>,
    /// Whether to build anew although it is there. The old one stays in use until the new one works.
    pub rebuild: bool,
}

impl EnvRequest {
    /// What the manifest in the folder `dir` asks for. `lock` is the text of its lock file, when it names one.
    pub fn of_manifest(manifest: &Manifest, dir: &Path, lock: Option<String>) -> Self {
        let requirements = match lock {
            Some(text) => Requirements::Lock(text),
            None => Requirements::List(manifest.python.requirements.clone()),
        };
        Self {
            plugin: manifest.name.to_string(),
            requires: manifest.python.requires.clone(),
            requirements,
            given: manifest.python.environment.as_ref().map(|given| dir.join(given)),
            rebuild: false,
        }
    }
}

/// An environment that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The Python to start. Its path stays valid while it runs, also when the environment is rebuilt once.
    pub python: PathBuf,
    /// Its version.
    pub python_version: String,
    /// The name of the environment.
    pub key: String,
    /// Whether it was built just now.
    pub built: bool,
}

/// The environments of one data directory.
#[derive(Debug)]
pub struct EnvStore {
    environments: PathBuf,
    tools: PathBuf,
    machine: Machine,
    interpreters: Interpreters,
}

impl EnvStore {
    /// Opens the store below `data_dir`, with the environment of this process. Whatever it starts, it
    /// starts with `launcher`, so that no installer outlives the host.
    pub fn open(data_dir: &Path, launcher: Launcher) -> Result<Self, EnvError> {
        Self::open_with(data_dir, launcher, Settings::from_process())
    }

    /// Opens the store with other environment variables than those of this process.
    pub fn open_with(data_dir: &Path, launcher: Launcher, settings: Settings) -> Result<Self, EnvError> {
        let data_dir = std::path::absolute(data_dir).map_err(|source| failed("open", data_dir, source))?;
        let folders = [data_dir.join("envs"), data_dir.join("tools")];
        for folder in &folders {
            std::fs::create_dir_all(folder).map_err(|source| failed("create", folder, source))?;
            let may_write = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
            may_write.map_err(|e| failed("write to", folder, e.into()))?;
        }
        let [environments, tools] = folders;
        Ok(Self {
            environments,
            tools,
            machine: Machine { launcher, settings },
            interpreters: Interpreters::default(),
        })
    }

    /// Makes the environment ready. Dropping the future stops whatever it started.
    pub async fn ensure(
        &self,
        request: &EnvRequest,
        mut on_event: impl FnMut(EnvEvent) + Send,
    ) -> Result<Environment, EnvError> {
        let started = Instant::now();
        if let Some(given) = &request.given {
            let environment = given::ready(&self.machine, &self.interpreters, request, given).await?;
            let path = environment.python.clone();
            on_event(EnvEvent::Interpreter { path, version: environment.python_version.clone() });
            on_event(EnvEvent::Ready { seconds: started.elapsed().as_secs_f64(), reused: true });
            return Ok(environment);
        }
        let bytes = request.requirements.to_text().len();
        if bytes > REQUIREMENTS_BYTES_MAX {
            let plugin = request.plugin.clone();
            return Err(EnvError::TooManyRequirements { plugin, bytes, limit: REQUIREMENTS_BYTES_MAX });
        }
        let python = self.interpreters.find(&self.machine, &request.plugin, &request.requires).await?;
        on_event(EnvEvent::Interpreter { path: python.executable.clone(), version: python.version.clone() });
        let key = key(&python, &request.requirements);
        let slot = Slot::new(&self.environments, &key);
        let known = if request.rebuild { None } else { slot.ready(FORMAT, &key) };
        let environment = match known {
            Some(ready) => environment(ready, false),
            None => self.build_or_wait(request, &python, &slot, &key, &mut on_event).await?,
        };
        let seconds = started.elapsed().as_secs_f64();
        on_event(EnvEvent::Ready { seconds, reused: !environment.built });
        Ok(environment)
    }

    /// The environment, if it is there already. Nothing is built, locked or waited for.
    pub async fn existing(&self, request: &EnvRequest) -> Option<Environment> {
        if let Some(given) = &request.given {
            return given::ready(&self.machine, &self.interpreters, request, given).await.ok();
        }
        let found = self.interpreters.find(&self.machine, &request.plugin, &request.requires).await;
        let key = key(&found.ok()?, &request.requirements);
        Slot::new(&self.environments, &key).ready(FORMAT, &key).map(|ready| environment(ready, false))
    }

    async fn build_or_wait(
        &self,
        request: &EnvRequest,
        python: &Interpreter,
        slot: &Slot,
        key: &str,
        on_event: Listener<'_>,
    ) -> Result<Environment, EnvError> {
        let held = slot.lock(&request.plugin, on_event).await?;
        if !request.rebuild
            && let Some(ready) = slot.ready(FORMAT, key)
        {
            return Ok(environment(ready, false));
        }
        let folder = slot.new_build(&held).await?;
        let build = Build {
            plugin: &request.plugin,
            machine: &self.machine,
            python,
            folder: &folder,
            tools: &self.tools,
        };
        let made = match build.make(&request.requirements, on_event).await {
            Ok(installer) => self.check(request, python, &folder).await.map(|()| installer),
            Err(error) => Err(error),
        };
        let installer = match made {
            Ok(installer) => installer,
            Err(error) => {
                slot.discard(&held, &folder).await;
                return Err(error);
            }
        };
        let marker = marker(key, python, installer);
        slot.switch(&held, &folder, &marker).await?;
        Ok(environment((folder, marker), true))
    }

    /// The new environment's Python must start and be the one it was made from.
    async fn check(&self, request: &EnvRequest, python: &Interpreter, folder: &Path) -> Result<(), EnvError> {
        let detail = match interpreter::ask(&self.machine, &folder.join("bin/python")).await {
            Ok(answer) if answer.version == python.version => return Ok(()),
            Ok(answer) => format!("it is Python {} instead of {}", answer.version, python.version),
            Err(reason) => format!("its Python {reason}"),
        };
        Err(EnvError::Broken { plugin: request.plugin.clone(), detail })
    }
}

fn marker(key: &str, python: &Interpreter, installer: Installer) -> Marker {
    Marker {
        format: FORMAT,
        key: key.to_owned(),
        python_version: python.version.clone(),
        program: PathBuf::from("bin/python"),
        made_by: installer.name().to_owned(),
    }
}

fn environment((folder, marker): (PathBuf, Marker), built: bool) -> Environment {
    Environment {
        python: folder.join(&marker.program),
        python_version: marker.python_version,
        key: marker.key,
        built,
    }
}
