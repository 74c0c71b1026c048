//! Exit codes: part of the contract with scripts, documented in `--help` and docs/reference/cli.md.

use super::terminal;
use crate::client::Kind;
use crate::embedded::{Failure, StartError};
use owo_colors::OwoColorize as _;
use std::process::ExitCode;

/// What the process says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// It worked.
    Ok = 0,
    /// A tool said no, or its worker was killed.
    Tool = 1,
    /// The request was wrong: unknown names, bad fields, bad files.
    Request = 2,
    /// An environment could not be built.
    Environment = 3,
    /// A plugin could not be started.
    Start = 4,
    /// The host itself had trouble.
    Host = 5,
    /// No server can be asked, or it takes no requests now.
    Server = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Code {
    pub(super) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Request { .. } | Failure::Diagnostics(_) | Failure::Mistakes(_) => Self::Request,
            Failure::Environment(_) => Self::Environment,
            Failure::NotStarted { error, .. } => match &**error {
                StartError::Lock(_) => Self::Request,
                StartError::Environment(_) => Self::Environment,
                StartError::Missing(_) | StartError::Secrets(_) | StartError::Worker(_) => Self::Start,
            },
            Failure::Store(_) | Failure::Secrets { .. } | Failure::Host { .. } => Self::Host,
            Failure::Unreachable { .. } => Self::Server,
            Failure::Refused(refused) => match refused.kind {
                Kind::Request => Self::Request,
                Kind::Plugin => Self::Start,
                Kind::Tool => Self::Tool,
                Kind::Server => Self::Server,
                Kind::Bug => Self::Host,
            },
            Failure::Interrupted => Self::Interrupted,
        }
    }

    /// Says on stderr why, and what to do.
    pub(super) fn tell(self, message: &str, hint: Option<&str>) -> ExitCode {
        terminal::say(format!("{} {message}", "error:".red().bold()));
        if let Some(hint) = hint {
            terminal::say(format!("{} {hint}", "hint:".cyan().bold()));
        }
        self.into()
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}
