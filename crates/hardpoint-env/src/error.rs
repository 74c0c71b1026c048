//! Owns why an environment could not be made ready, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a plugin has no environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// `python.requires` cannot be understood.
    #[error("plugin `{plugin}` asks for Python `{requires}`, which is not a version specifier")]
    Requires {
        /// The plugin.
        plugin: String,
        /// What it asks for.
        requires: String,
    },
    /// No interpreter on this machine will do.
    #[error("plugin `{plugin}` needs Python {requires}: {}", found_list(found))]
    NoInterpreter {
        /// The plugin.
        plugin: String,
        /// What it asks for.
        requires: String,
        /// What there is.
        found: Vec<FoundInterpreter>,
    },
    /// More requirements than the limit.
    #[error("plugin `{plugin}` has {bytes} bytes of requirements, the limit is {limit}")]
    TooManyRequirements {
        /// The plugin.
        plugin: String,
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The data directory did not do what it should.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried: `create`, `lock`.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the lock and does not let go.
    #[error("the environment of plugin `{plugin}` has been locked for hours by {}", holder(*pid))]
    Locked {
        /// The plugin.
        plugin: String,
        /// The process that holds it, if it said so.
        pid: Option<u32>,
    },
    /// A program could not be started at all.
    #[error("cannot start `{command}` for plugin `{plugin}`: {source}")]
    Start {
        /// The plugin.
        plugin: String,
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended badly.
    #[error("installing for plugin `{plugin}` failed: `{command}` {ending}{}", tail_text(tail))]
    Install {
        /// The plugin.
        plugin: String,
        /// The command line, without passwords.
        command: String,
        /// How it ended: `exited with code 1`.
        ending: String,
        /// Its last lines.
        tail: Vec<String>,
    },
    /// A program was stopped because nothing happened any more.
    #[error(
        "installing for plugin `{plugin}` made no progress for {seconds} s: `{command}` was stopped{}",
        tail_text(tail)
    )]
    Stalled {
        /// The plugin.
        plugin: String,
        /// The command line, without passwords.
        command: String,
        /// How long nothing happened.
        seconds: u64,
        /// Its last lines.
        tail: Vec<String>,
    },
    /// The environment that the manifest names cannot be used.
    #[error("plugin `{plugin}` cannot use the environment {}: {fault}", path.display())]
    Given {
        /// The plugin.
        plugin: String,
        /// What the manifest names.
        path: PathBuf,
        /// What is wrong with it.
        fault: GivenFault,
    },
    /// The finished environment's Python does not run.
    #[error("the new environment of plugin `{plugin}` does not work: {detail}")]
    Broken {
        /// The plugin.
        plugin: String,
        /// What happened.
        detail: String,
    },
}

/// What is wrong with an environment that somebody else made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GivenFault {
    /// There is nothing of that name.
    #[error("it is not there")]
    Absent,
    /// It is no program, and no folder with one.
    #[error("there is no `bin/python` in it, and it is no interpreter")]
    NoPython,
    /// Its Python does not say what it is.
    #[error("its Python {0}")]
    Silent(String),
    /// Its Python has the wrong version.
    #[error("it has Python {found}, needed is {needs}")]
    Version {
        /// Its version.
        found: String,
        /// What the plugin asks for.
        needs: String,
    },
}

/// One interpreter that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundInterpreter {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, or why it has none.
    pub outcome: Result<String, String>,
}

impl fmt::Display for FoundInterpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(version) => write!(f, "{version} at {}", self.path.display()),
            Err(reason) => write!(f, "{} ({reason})", self.path.display()),
        }
    }
}

impl EnvError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Requires { .. } => {
                "write `requires = \">=3.10\"` under `[python]` in hardpoint.toml".to_owned()
            }
            Self::NoInterpreter { .. } if std::env::var_os("HARDPOINT_PYTHON").is_some() => {
                "name such a Python in HARDPOINT_PYTHON, or unset it to have one looked for".to_owned()
            }
            Self::NoInterpreter { .. } => {
                "install such a Python and put it on PATH, or name it in HARDPOINT_PYTHON".to_owned()
            }
            Self::TooManyRequirements { .. } => "list only the packages the plugin imports".to_owned(),
            Self::Io { path, .. } => {
                format!("check the free space and the permissions of {}", path.display())
            }
            Self::Locked { pid: Some(pid), .. } => format!("look at what process {pid} is doing, and end it"),
            Self::Locked { pid: None, .. } => "end the other host that builds this environment".to_owned(),
            Self::Start { .. } => "check that the program exists and may be executed".to_owned(),
            Self::Install { tail, .. } => install_hint(tail),
            Self::Stalled { .. } => "check the network and the package index, then try again".to_owned(),
            Self::Given { path, fault, .. } => given_hint(path, fault),
            Self::Broken { .. } => {
                "try again; if it stays so, name another interpreter in HARDPOINT_PYTHON".to_owned()
            }
        }
    }
}

fn given_hint(path: &Path, fault: &GivenFault) -> String {
    let made = folder_of(path);
    let path = made.unwrap_or(path).display();
    match fault {
        GivenFault::Absent | GivenFault::NoPython if made.is_none() => {
            format!("install the Python {path}, or correct `environment` under `[python]` in hardpoint.toml")
        }
        GivenFault::Absent | GivenFault::NoPython => format!(
            "make it (`python3 -m venv {path}`, then install the plugin into it), or correct `environment` under \
             `[python]` in hardpoint.toml"
        ),
        GivenFault::Silent(_) => {
            format!("try its Python with `-I -c 1`; if that fails, too, make {path} anew")
        }
        GivenFault::Version { .. } => {
            format!(
                "make {path} anew with such a Python, or correct `requires` under `[python]` in hardpoint.toml"
            )
        }
    }
}

/// The environment that a path names, by its folder or by the interpreter in its `bin`; none for an interpreter of the
/// system, whose folders nobody makes.
fn folder_of(path: &Path) -> Option<&Path> {
    let bin = path.parent().filter(|parent| parent.ends_with("bin"));
    let is_python = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"));
    let Some(folder) = bin.filter(|_| is_python && !path.is_dir()).and_then(Path::parent) else {
        return Some(path);
    };
    let is_environment = !folder.exists() || folder.join("pyvenv.cfg").exists();
    is_environment.then_some(folder)
}

/// The most likely remedy, read from the last lines of the installer.
fn install_hint(tail: &[String]) -> String {
    let text = tail.join("\n").to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["no space left"]) {
        "free some disk space, then try again"
    } else if has(&["ensurepip", "python3-venv"]) {
        "install the system's venv package (for example `apt install python3-venv`)"
    } else if looks_like_network(tail) {
        "check the network and the package index: pip's settings (PIP_INDEX_URL, pip.conf) are used"
    } else if has(&["no matching distribution", "not found in the package registry", "no solution found"]) {
        "check the names and versions under `[python]` in hardpoint.toml, and `python.requires`"
    } else if has(&["hash", "hashes"]) && has(&["mismatch", "do not match"]) {
        "write the lock file anew: a package differs from what it promises"
    } else if has(&["failed to build", "failed building wheel", "error: command", "build backend"]) {
        "the package has no ready-made wheel for this Python: pin a version that has, or install its compiler"
    } else {
        "read the lines above, correct `[python]` in hardpoint.toml, then try again"
    }
    .to_owned()
}

/// Whether an installer failed because it could not reach something, by what it said.
pub(crate) fn looks_like_network(tail: &[String]) -> bool {
    const WORDS: [&str; 12] = [
        "error sending request",
        "failed to fetch",
        "dns error",
        "connection refused",
        "connection reset",
        "connection error",
        "certificate",
        "could not connect",
        "temporary failure in name resolution",
        "timed out",
        "newconnectionerror",
        "request failed after",
    ];
    let text = tail.join("\n").to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

fn found_list(found: &[FoundInterpreter]) -> String {
    if found.is_empty() {
        return "no Python was found on PATH".to_owned();
    }
    let list: Vec<String> = found.iter().map(ToString::to_string).collect();
    format!("found {}", list.join(", "))
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn tail_text(tail: &[String]) -> String {
    tail.iter().flat_map(|line| ["\n  | ", line.as_str()]).collect()
}
