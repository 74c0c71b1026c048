//! Looking again and again: a page that is drawn anew in a terminal, a line per change elsewhere.
//!
//! Owns the rhythm and the drawing. Ctrl-C is the way to end it, and no failure.

use crate::cli::exit_code::Code;
use crate::cli::interrupt::{Outcome, unless_interrupted};
use crate::cli::terminal;
use crate::embedded::Failure;
use jiff::Zoned;
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// How what was seen is shown.
pub(super) struct View<P, L> {
    /// What is looked at, for the head of the page.
    pub(super) of: String,
    pub(super) json: bool,
    /// The whole page.
    pub(super) page: P,
    /// What is new since the last look, a line for each.
    pub(super) news: L,
}

/// Shows what `look` brings, until Ctrl-C.
pub(super) async fn watch<P, L>(
    look: impl AsyncFn() -> Result<Value, Failure>,
    view: View<P, L>,
) -> Result<Code, Failure>
where
    P: Fn(&Value) -> Result<String, Failure>,
    L: Fn(Option<&Value>, &Value) -> Result<Vec<String>, Failure>,
{
    let redraws = std::io::stdout().is_terminal() && !view.json;
    let looking = async {
        let mut before: Option<Value> = None;
        loop {
            let now = look().await?;
            if redraws {
                draw(&view.of, &(view.page)(&now)?)?;
            } else if view.json {
                let stable = without_clocks(now.clone());
                if before.as_ref() != Some(&stable) {
                    terminal::print(&now)?;
                }
                before = Some(stable);
                tokio::time::sleep(EVERY).await;
                continue;
            } else {
                for line in (view.news)(before.as_ref(), &now)? {
                    terminal::print(line)?;
                }
            }
            before = Some(now);
            tokio::time::sleep(EVERY).await;
        }
    };
    match unless_interrupted(looking).await {
        Outcome::Done(ended) => ended,
        Outcome::Interrupted => Ok(Code::Ok),
    }
}

/// Over what was there, line by line, so that nothing flickers; what does not fit is left out, to the right and
/// below.
fn draw(of: &str, page: &str) -> Result<(), Failure> {
    let rows = terminal_size::terminal_size().map_or(24, |(_, rows)| usize::from(rows.0));
    let now = Zoned::now().strftime("%H:%M:%S");
    let head = format!("{of}  {now}  (Ctrl-C ends)");
    let mut text = String::from("\x1b[?7l\x1b[H");
    let _ = write!(text, "{}\x1b[K\n\x1b[K\n", head.dimmed());
    let lines: Vec<&str> = page.lines().collect();
    let fits = rows.saturating_sub(4).max(1);
    for line in lines.iter().take(fits) {
        let _ = writeln!(text, "{line}\x1b[K");
    }
    if lines.len() > fits {
        let _ = writeln!(text, "… {} more lines\x1b[K", lines.len() - fits);
    }
    text.push_str("\x1b[J\x1b[?7h");
    terminal::print_raw(&text)
}

/// The same without what changes by itself.
fn without_clocks(document: Value) -> Value {
    match document {
        Value::Object(mut fields) => {
            fields.remove("uptime_seconds");
            Value::Object(fields.into_iter().map(|(name, value)| (name, without_clocks(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_clocks).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}
