//! `hardpoint plugin logs NAME`: what a plugin printed and logged, and what the host said about it.

use super::{Scene, patiently};
use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::terminal;
use crate::client::{Client, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::log::{LogLevel, LogLine, LogSource};
use jiff::Timestamp;
use owo_colors::{OwoColorize as _, Style};
use serde_json::{Value, json};
use std::time::Duration;

/// How often it is looked for new lines.
const EVERY: Duration = Duration::from_millis(500);
/// As many lines as a server sends at once.
const LINES_MAX: u32 = 1000;

/// Which lines are shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hardpoint plugin logs faces
  hardpoint plugin logs faces --lines 1000 --json
  hardpoint plugin logs faces --follow

With --follow it goes on until Ctrl-C, which ends it with exit code 0; with --json there is a document per line.")]
pub(in crate::cli) struct Logs {
    /// Name of the plugin
    plugin: String,
    /// How many of the last lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(LINES_MAX)))]
    lines: u32,
    /// Go on with the lines that come
    #[arg(long, short)]
    follow: bool,
}

pub(in crate::cli) async fn run(args: Logs, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let json = scene.shared.json;
    if args.follow {
        return match unless_interrupted(follow(&client, &args, json)).await {
            Outcome::Done(ended) => ended,
            Outcome::Interrupted => Ok(Code::Ok),
        };
    }
    let document = patiently(ask(&client, &args.plugin, args.lines)).await?;
    if json {
        terminal::print_json(&document)?;
        return Ok(Code::Ok);
    }
    for line in typed::<Vec<LogLine>>(&document)? {
        terminal::print(shown(&line))?;
    }
    Ok(Code::Ok)
}

async fn ask(client: &Client, plugin: &str, lines: u32) -> Result<Value, Failure> {
    let lines = lines.to_string();
    client.get(&["v1", "plugins", plugin, "logs"], &[("lines", &lines)]).await
}

async fn follow(client: &Client, args: &Logs, json: bool) -> Result<Code, Failure> {
    let mut seen = Seen::default();
    let mut wanted = args.lines;
    loop {
        let lines: Vec<LogLine> = typed(&ask(client, &args.plugin, wanted).await?)?;
        let (fresh, missed) = seen.fresh(lines, wanted);
        if missed {
            terminal::say("… lines came faster than they could be read: some are missing here");
        }
        for line in fresh {
            if json {
                terminal::print(json!(line))?;
            } else {
                terminal::print(shown(&line))?;
            }
        }
        wanted = LINES_MAX;
        tokio::time::sleep(EVERY).await;
    }
}

/// The newest line that was shown: lines have no numbers, but their times only grow.
#[derive(Default)]
struct Seen {
    until: Option<Timestamp>,
    /// How many lines of just that time.
    at_that_time: usize,
}

impl Seen {
    /// The lines that were not shown yet, and whether some between them have been missed.
    fn fresh(&mut self, lines: Vec<LogLine>, asked: u32) -> (Vec<LogLine>, bool) {
        let full = lines.len() >= usize::try_from(asked).unwrap_or(usize::MAX);
        let first = lines.first().map(|line| line.at);
        let missed = full && self.until.is_some_and(|until| first.is_some_and(|first| first > until));
        let mut skipped = 0;
        let fresh: Vec<LogLine> = lines
            .into_iter()
            .filter(|line| match self.until {
                Some(until) if line.at < until => false,
                Some(until) if line.at == until && skipped < self.at_that_time => {
                    skipped += 1;
                    false
                }
                Some(_) | None => true,
            })
            .collect();
        if let Some(last) = fresh.last() {
            let same = fresh.iter().filter(|line| line.at == last.at).count();
            self.at_that_time = if self.until == Some(last.at) { self.at_that_time + same } else { same };
            self.until = Some(last.at);
        }
        (fresh, missed)
    }
}

fn shown(line: &LogLine) -> String {
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
    let text: String = line
        .text
        .chars()
        .map(|c| if c.is_control() && c != '\t' && c != '\n' { '\u{fffd}' } else { c })
        .collect();
    let at = line.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ");
    format!("{} {:<12} {}", at.dimmed(), format!("{who}{source}").dimmed(), text.style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(times: &[i64]) -> Vec<LogLine> {
        let line = |(index, at): (usize, &i64)| LogLine {
            number: 1,
            at: Timestamp::from_second(*at).unwrap(),
            plugin: String::new(),
            instance: String::new(),
            incarnation: 1,
            source: LogSource::Stdout,
            level: None,
            logger: None,
            job_id: None,
            stage: None,
            attempt: None,
            text: index.to_string(),
        };
        times.iter().enumerate().map(line).collect()
    }

    #[test]
    fn each_line_is_shown_once_even_when_many_have_one_time() {
        let mut seen = Seen::default();
        let mut count = |times: &[i64], asked| {
            let (fresh, missed) = seen.fresh(lines(times), asked);
            (fresh.len(), missed)
        };
        assert_eq!(count(&[], 3), (0, false));
        assert_eq!(count(&[1, 2, 2], 3), (3, false));
        assert_eq!(count(&[1, 2, 2], 1000), (0, false));
        assert_eq!(count(&[1, 2, 2, 2, 3], 1000), (2, false));
        assert_eq!(count(&[2, 2, 2, 3, 3], 1000), (1, false));
        assert_eq!(count(&[4, 5], 2), (2, true));
    }
}
