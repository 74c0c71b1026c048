//! Lines of logs for people and for scripts: those of a plugin and those of a job alike.
//!
//! Owns the options that both have, and how a line looks. Must not know HTTP: [`crate::client`] asks.

use super::exit_code::Code;
use super::interrupt::{Outcome, unless_interrupted};
use super::live::Scene;
use super::terminal;
use crate::client::{Client, LogQuery, LogsOf, typed};
use crate::embedded::Failure;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use hardpoint_model::log::{AttemptId, LogLevel, LogLine, LogSource};
use owo_colors::{OwoColorize as _, Style};
use serde_json::Value;

/// Which of the lines are shown.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Go on with the lines that come
    #[arg(long, short)]
    follow: bool,
    /// Only what was logged at this level or above; what was printed has none
    #[arg(long, value_name = "LEVEL", value_parser = levels())]
    level: Option<LogLevel>,
    /// Only lines with this text in them
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
}

fn levels() -> impl clap::builder::TypedValueParser<Value = LogLevel> {
    let words = PossibleValuesParser::new(LogLevel::ALL.map(LogLevel::as_str));
    words.map(|word| {
        let found = LogLevel::ALL.into_iter().find(|level| level.as_str() == word);
        found.unwrap_or(LogLevel::Debug)
    })
}

pub(super) async fn show(of: LogsOf<'_>, choice: &Choice, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let Choice { follow, level, contains } = choice;
    let query = LogQuery { of, level: *level, contains: contains.as_deref(), follow: *follow };
    match unless_interrupted(shown(&client, query, scene.shared.json)).await {
        Outcome::Done(shown) => shown.map(|()| Code::Ok),
        Outcome::Interrupted if *follow => Ok(Code::Ok),
        Outcome::Interrupted => Err(Failure::Interrupted),
    }
}

async fn shown(client: &Client, query: LogQuery<'_>, json: bool) -> Result<(), Failure> {
    if json && query.follow {
        return client.logs(query, |document| terminal::print(&document)).await;
    }
    if json {
        let mut documents: Vec<Value> = Vec::new();
        client
            .logs(query, |document| {
                documents.push(document);
                Ok(())
            })
            .await?;
        return terminal::print_json(&documents);
    }
    let mut page = Page { of_job: matches!(query.of, LogsOf::Job { .. }), last: None };
    let show = |document: Value| {
        let line: LogLine = typed(&document)?;
        if let Some(heading) = page.heading(&line) {
            terminal::print(heading.dimmed())?;
        }
        terminal::print(look(&line))
    };
    client.logs(query, show).await?;
    if page.last.is_none() {
        terminal::say("nothing of that kind was said");
    }
    Ok(())
}

/// What stood above the last line: whose it was.
struct Page {
    of_job: bool,
    last: Option<(u64, Option<AttemptId>)>,
}

impl Page {
    /// Whose the lines from here on are, where that changes.
    fn heading(&mut self, line: &LogLine) -> Option<String> {
        let (incarnation, attempt) = (line.incarnation, line.attempt_id());
        let before = self.last.replace((incarnation, attempt));
        let (old_incarnation, old_attempt) = before.unwrap_or((1, None));
        let mut parts = Vec::new();
        match attempt {
            Some(id) if self.of_job => {
                // Most jobs have one stage and need one try: nothing is said about those.
                let (stage, try_of_it) = old_attempt.map_or((0, 1), |old| (old.stage, old.attempt));
                if stage != id.stage {
                    parts.push(format!("stage {} on {}", for_people(id.stage), line.instance));
                }
                let expected = if stage == id.stage { try_of_it } else { 1 };
                if id.attempt != expected {
                    parts.push(format!("attempt {}", id.attempt));
                }
            }
            Some(id) if old_attempt != attempt => {
                parts.push(format!("job {}", id.job_id));
                if id.stage > 0 {
                    parts.push(format!("stage {}", for_people(id.stage)));
                }
                if id.attempt > 1 {
                    parts.push(format!("attempt {}", id.attempt));
                }
            }
            None if old_attempt.is_some() => parts.push("no job".to_owned()),
            Some(_) | None => {}
        }
        if old_incarnation != incarnation {
            parts.push(format!("incarnation {incarnation}"));
        }
        (!parts.is_empty()).then(|| format!("── {}", parts.join(", ")))
    }
}

/// People count stages from 1.
fn for_people(stage: u32) -> u64 {
    u64::from(stage) + 1
}

/// A line beside a result, where it is worth one: what was logged as a warning or worse, with `verbose` all that the
/// plugin printed and logged.
pub(super) fn aside(line: &LogLine, verbose: bool) -> Option<String> {
    let wanted = match line.source {
        LogSource::Stdout | LogSource::Stderr => verbose,
        LogSource::Plugin => verbose || line.level >= Some(LogLevel::Warning),
        LogSource::Host => false,
    };
    wanted.then(|| format!("{} {}", line.instance.dimmed(), tame(&line.text)))
}

/// What a plugin says must not move the cursor.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn look(line: &LogLine) -> String {
    let source = match (line.source, line.level) {
        (LogSource::Stdout, _) => "stdout",
        (LogSource::Stderr, _) => "stderr",
        (LogSource::Plugin | LogSource::Host, Some(level)) => level.as_str(),
        (LogSource::Plugin, None) => "log",
        (LogSource::Host, None) => "host",
    };
    let who = if line.source == LogSource::Host { "host " } else { "" };
    let style = match line.level {
        Some(LogLevel::Error) => Style::new().red(),
        Some(LogLevel::Warning) => Style::new().yellow(),
        Some(LogLevel::Info | LogLevel::Debug) | None => Style::new(),
    };
    let text = tame(&line.text);
    let at = line.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
    format!("{} {:<12} {}", at.dimmed(), format!("{who}{source}").dimmed(), text.style(style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::job::JobId;
    use jiff::Timestamp;

    fn line(incarnation: u64, of: Option<(JobId, u32)>) -> LogLine {
        LogLine {
            number: 1,
            at: Timestamp::UNIX_EPOCH,
            plugin: "p".to_owned(),
            instance: "p".to_owned(),
            incarnation,
            source: LogSource::Stdout,
            level: None,
            logger: None,
            job_id: of.map(|(job, _)| job),
            stage: of.map(|_| 0),
            attempt: of.map(|(_, attempt)| attempt),
            text: "a\x1b[31mb".to_owned(),
        }
    }

    #[test]
    fn a_heading_says_whose_the_lines_are_where_that_changes() {
        let (one, other) = (JobId::now(), JobId::now());
        let mut page = Page { of_job: false, last: None };
        for (incarnation, of, expected) in [
            (1, None, None),
            (1, Some((one, 1)), Some(format!("── job {one}"))),
            (1, Some((one, 1)), None),
            (1, Some((one, 2)), Some(format!("── job {one}, attempt 2"))),
            (2, Some((other, 1)), Some(format!("── job {other}, incarnation 2"))),
            (2, None, Some("── no job".to_owned())),
            (3, None, Some("── incarnation 3".to_owned())),
        ] {
            assert_eq!(page.heading(&line(incarnation, of)), expected);
        }
        let mut page = Page { of_job: true, last: None };
        for (attempt, expected) in [(1, None), (1, None), (2, Some("── attempt 2".to_owned())), (2, None)]
        {
            assert_eq!(page.heading(&line(1, Some((one, attempt)))), expected);
        }
        let of_stage = |attempt| LogLine { stage: Some(1), ..line(1, Some((one, attempt))) };
        assert_eq!(page.heading(&of_stage(1)).as_deref(), Some("── stage 2 on p"));
        assert_eq!(page.heading(&of_stage(2)).as_deref(), Some("── attempt 2"));
    }

    #[test]
    fn beside_a_result_stand_warnings_and_with_verbose_all_that_the_plugin_said() {
        let said =
            |source, level, verbose| aside(&LogLine { source, level, ..line(1, None) }, verbose).is_some();
        assert!(!said(LogSource::Stdout, None, false) && said(LogSource::Stdout, None, true));
        assert!(!said(LogSource::Plugin, Some(LogLevel::Info), false));
        assert!(said(LogSource::Plugin, Some(LogLevel::Warning), false));
        assert!(!said(LogSource::Host, Some(LogLevel::Error), true), "it is told with the result");
    }

    #[test]
    fn what_a_plugin_prints_does_not_move_the_cursor() {
        assert!(look(&line(1, None)).ends_with("a\u{fffd}[31mb"), "{:?}", look(&line(1, None)));
    }
}
