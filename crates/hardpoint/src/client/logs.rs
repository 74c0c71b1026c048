//! Logs of a running host: lines of a plugin or of a job, as they are kept and as they come.
//!
//! Owns the routes of logs. Must not know how a line is shown.

use super::call::EVENTS;
use super::lines::Lines;
use super::{Client, Refused};
use crate::embedded::Failure;
use hardpoint_model::job::JobId;
use hardpoint_model::log::LogLevel;
use reqwest::{Method, header};
use serde_json::Value;

/// Whose lines are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogsOf<'a> {
    /// Of a plugin: so many of the last ones.
    Plugin { name: &'a str, last: u32 },
    /// Of a job.
    Job { id: JobId, last: Option<u32>, stage: Option<u32>, attempt: Option<u32> },
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogQuery<'a> {
    pub(crate) of: LogsOf<'a>,
    pub(crate) level: Option<LogLevel>,
    pub(crate) contains: Option<&'a str>,
    /// Whether those that will come are wanted, too.
    pub(crate) follow: bool,
}

impl LogQuery<'_> {
    fn path(&self) -> Vec<String> {
        let parts: [&str; 4] = match self.of {
            LogsOf::Plugin { name, .. } => ["v1", "plugins", name, "logs"],
            LogsOf::Job { id, .. } => {
                return ["v1", "jobs", &id.to_string(), "logs"].map(str::to_owned).into();
            }
        };
        parts.map(str::to_owned).into()
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        let mut number =
            |name, value: Option<u32>| pairs.extend(value.map(|value| (name, value.to_string())));
        match self.of {
            LogsOf::Plugin { last, .. } => number("lines", Some(last)),
            LogsOf::Job { last, stage, attempt, .. } => {
                number("tail", last);
                number("stage", stage);
                number("attempt", attempt);
            }
        }
        pairs.extend(self.level.map(|level| ("level", level.as_str().to_owned())));
        pairs.extend(self.contains.map(|text| ("contains", text.to_owned())));
        if self.follow {
            pairs.push(("follow", "true".to_owned()));
        }
        pairs
    }
}

impl Client {
    /// Tells `on_line` of lines, in their order, until there are no more: those of a job end with it.
    pub(crate) async fn logs(
        &self,
        query: LogQuery<'_>,
        mut on_line: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (path, pairs) = (query.path(), query.pairs());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = self.request(Method::GET, &path, &pairs).header(header::ACCEPT, EVENTS);
        let response = self.send(request).await?;
        let mut lines = Lines::of(self, response);
        while let Some(line) = lines.next(0).await? {
            let Ok(document) = serde_json::from_slice::<Value>(&line) else { continue };
            if document.get("detail").is_some() {
                return Err(Failure::Refused(Box::new(Refused::of_event(document, self.target()))));
            }
            // A sign of life has no number.
            if document.get("number").is_some() {
                on_line(document)?;
            }
        }
        match query.of {
            LogsOf::Plugin { .. } if query.follow => Err(self.logs_ended()),
            LogsOf::Job { id, .. } if query.follow && !self.typed_job(id).await?.status.is_terminal() => {
                Err(self.logs_ended())
            }
            LogsOf::Plugin { .. } | LogsOf::Job { .. } => Ok(()),
        }
    }

    /// A stream of lines that should have gone on.
    fn logs_ended(&self) -> Failure {
        Failure::Unreachable {
            message: format!("the server at {} ended the stream of lines", self.shown()),
            hint: "it may have been stopped: what was said is shown again by the next one".to_owned(),
        }
    }
}
