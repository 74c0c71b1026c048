//! What a streamed call says, one event after the other.
//!
//! Owns the shape of events. Must not know how they are separated on the wire.

use super::RunDone;
use super::answer::{self, Subject};
use crate::limits::RESULT_BYTES_MAX;
use crate::problem::FailedRun;
use hardpoint_engine::{CallStep, Done};
use hardpoint_supervisor::Note;
use hardpoint_wire::LogLevel;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One event of a streamed call. `result` or `error` is the last.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// What the tool yielded.
    Item {
        /// Counts the items, from 0.
        seq: u64,
        /// The value. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
        item: Value,
    },
    /// How far it is.
    Progress {
        /// From 0 to 1; null when that is not known.
        fraction: Option<f64>,
        /// What it is doing, or empty.
        message: String,
    },
    /// A line of the plugin's log.
    Log {
        /// `debug`, `info`, `warning` or `error`.
        #[schemars(with = "String")]
        level: LogLevel,
        /// Name of the logger.
        logger: String,
        /// The line.
        message: String,
    },
    /// Something that was used up: tokens of a paid service, for example.
    Usage {
        /// Unit and amount.
        usage: BTreeMap<String, f64>,
    },
    /// It went well; nothing follows.
    Result(Box<RunDone>),
    /// It failed; nothing follows. The problem document of the run route; the response itself has status 200,
    /// because it had begun before.
    Error(Box<FailedRun>),
}

impl Event {
    /// Its name, as event streams have it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Item { .. } => "item",
            Self::Progress { .. } => "progress",
            Self::Log { .. } => "log",
            Self::Usage { .. } => "usage",
            Self::Result(_) => "result",
            Self::Error(_) => "error",
        }
    }

    pub(super) fn is_last(&self) -> bool {
        match self {
            Self::Item { .. } | Self::Progress { .. } | Self::Log { .. } | Self::Usage { .. } => false,
            Self::Result(_) | Self::Error(_) => true,
        }
    }

    /// What a step of a call says; `seq` is the number of items before it.
    pub(super) fn of(subject: &Subject, step: CallStep, seq: u64) -> Self {
        match step {
            CallStep::Note(note) => Self::of_note(note),
            CallStep::Item(item) => match item.into_json(RESULT_BYTES_MAX) {
                Ok(item) => Self::Item { seq, item },
                Err(error) => Self::Error(answer::unwritable(subject, &error)),
            },
            CallStep::End(Ok(done)) => Self::of_done(subject, done),
            CallStep::End(Err(failure)) => Self::Error(subject.failed(failure)),
        }
    }

    fn of_done(subject: &Subject, done: Done) -> Self {
        match answer::done(subject, done, None) {
            Ok(done) => Self::Result(Box::new(done)),
            Err(failed) => Self::Error(failed),
        }
    }

    fn of_note(note: Note) -> Self {
        match note {
            Note::Progress(progress) => {
                Self::Progress { fraction: progress.fraction, message: progress.message }
            }
            Note::Log(log) => Self::Log { level: log.level, logger: log.logger, message: log.message },
            Note::Usage(usage) => Self::Usage { usage: usage.usage },
        }
    }
}
