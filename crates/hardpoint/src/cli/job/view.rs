//! A job that is waited for, as a person sees it: one line that is drawn anew, or a line for what matters where nobody
//! looks on.
//!
//! Owns the layout. Must not know how events come.

use super::page::printable;
use super::standing::Standing;
use crate::cli::{show, terminal};
use hardpoint_model::job::{Event, EventKind, Job};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use std::fmt::Write;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the line is drawn anew.
const REDRAW: Duration = Duration::from_millis(120);
/// Where no line can be drawn anew progress is told this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Where it is shown.
enum Place {
    Line(ProgressBar),
    Lines { last: Option<String>, progress_at: Option<Instant> },
    Nowhere,
}

/// A job on its way.
pub(in crate::cli) struct View {
    standing: Arc<Mutex<Standing>>,
    place: Place,
}

impl View {
    /// `quiet`: nothing is shown.
    pub(in crate::cli) fn new(job: &Job, quiet: bool) -> Self {
        let standing = Arc::new(Mutex::new(Standing::of(job)));
        let place = if quiet {
            Place::Nowhere
        } else if std::io::stderr().is_terminal() {
            Place::Line(line(&standing))
        } else {
            Place::Lines { last: None, progress_at: None }
        };
        Self { standing, place }
    }

    pub(in crate::cli) fn take(&mut self, event: &Event) {
        let (said, words, progress, ended) = {
            let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
            (standing.take(event), standing.words(), standing.progress, standing.ended(event))
        };
        if let Some((ok, ended)) = ended {
            let mark = if ok { "✓".green().to_string() } else { "✗".red().to_string() };
            self.line(&format!("{mark} {}", printable(&ended)));
        }
        match &mut self.place {
            Place::Line(bar) => {
                bar.set_style(style(&self.standing, progress.is_some()));
                bar.set_position(thousandths(progress.unwrap_or_default()));
                bar.set_message(printable(&words));
            }
            Place::Lines { last, progress_at } => {
                let is_progress = matches!(event.kind, EventKind::ProgressChanged { .. });
                if is_progress && progress_at.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
                    return;
                }
                if said.is_some() && said != *last {
                    *progress_at = is_progress.then(Instant::now).or(*progress_at);
                    terminal::say(printable(said.as_deref().unwrap_or_default()));
                    *last = said;
                }
            }
            Place::Nowhere => {}
        }
    }

    /// The server is gone, and is waited for.
    pub(super) fn note(&self, text: &str) {
        self.line(&format!("{} {text}", "note:".yellow().bold()));
    }

    /// A line that stays.
    fn line(&self, text: &str) {
        match &self.place {
            Place::Line(bar) => bar.println(text),
            Place::Lines { .. } => terminal::say(text),
            Place::Nowhere => {}
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Place::Line(bar) = &self.place {
            bar.finish_and_clear();
        }
    }
}

fn line(standing: &Arc<Mutex<Standing>>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
    bar.set_style(style(standing, false));
    bar.enable_steady_tick(REDRAW);
    bar
}

/// The line; with a bar where the tool says how far it is.
fn style(standing: &Arc<Mutex<Standing>>, with_bar: bool) -> ProgressStyle {
    let template = if with_bar {
        "{spinner:.cyan} {name:.bold} {bar:24.cyan/dim} {lasts:.dim}  {wide_msg}"
    } else {
        "{spinner:.cyan} {name:.bold} {lasts:.dim}  {wide_msg}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    let shown = |say: fn(&Standing) -> String| {
        let standing = Arc::clone(standing);
        move |_: &ProgressState, out: &mut dyn Write| {
            let said = say(&standing.lock().unwrap_or_else(PoisonError::into_inner));
            let _ = out.write_str(&printable(&said));
        }
    };
    style
        .with_key("name", shown(Standing::name))
        .with_key("lasts", shown(|standing| show::duration(standing.lasts(Timestamp::now()))))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
fn thousandths(fraction: f64) -> u64 {
    (fraction.clamp(0.0, 1.0) * 1000.0) as u64
}
