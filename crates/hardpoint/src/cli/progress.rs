//! Progress on stderr: one line per environment, one per stage.
//!
//! Owns the bars. They are hidden when stderr is no terminal; then what matters is printed as plain lines.

use super::{show, terminal};
use crate::embedded::Event;
use hardpoint_env::EnvEvent;
use hardpoint_model::log::LogSource;
use hardpoint_model::pipeline::Pipeline;
use hardpoint_supervisor::{Captured, Note, Worker};
use hardpoint_wire::LogLevel;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize as _;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a command shows while it works.
pub(super) struct Progress {
    bars: MultiProgress,
    by_name: Mutex<BTreeMap<String, ProgressBar>>,
    is_terminal: bool,
    verbose: bool,
    name_width: usize,
}

impl Progress {
    pub(super) fn new(quiet: bool, verbose: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && !quiet;
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        Self { bars, by_name: Mutex::default(), is_terminal, verbose, name_width: 10 }
    }

    /// Makes room for the longest name of a pipeline.
    pub(super) fn for_pipeline(mut self, pipeline: &Pipeline) -> Self {
        let names =
            pipeline.stages.iter().map(|stage| stage.plugin.instance.as_str().len() + stage.tool.len() + 1);
        self.name_width = names.max().unwrap_or(10).max(10);
        self
    }

    /// A call that somebody else runs.
    pub(super) fn waiting(&self, name: &str, at: &str) {
        self.bar(name).set_message(format!("running at {at}"));
    }

    /// What the host tells.
    pub(super) fn host(&self, event: Event) {
        match event {
            Event::Environment { plugin, event } => self.environment(&plugin, &event),
            Event::Starting { plugin } => self.starting(&plugin, "starting its worker"),
            Event::Started { plugin, worker } => self.started(&plugin, &worker),
        }
    }

    /// The start of a plugin is at this step.
    pub(super) fn starting(&self, plugin: &str, step: &str) {
        self.bar(plugin).set_message(step.to_owned());
    }

    /// A plugin is started to see whether it starts. Where no bar shows it, a plugin that hangs must not leave whoever
    /// waits without a word.
    pub(super) fn trying(&self, plugin: &str, at_most: Duration) {
        if !self.is_terminal {
            self.line(&format!("trying `{plugin}`: it may take {} to start", show::duration(at_most)));
        }
    }

    /// Nothing more comes of this plugin.
    pub(super) fn ended(&self, plugin: &str) {
        let bar = self.by_name.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    /// A plugin is up.
    pub(super) fn started(&self, plugin: &str, worker: &Worker) {
        let bar = self.bar(plugin);
        let said = format!("ready in process {} (Python {})", worker.pid(), python(worker));
        self.finish(&bar, plugin, &said);
    }

    /// Progress, log and usage of one call.
    pub(super) fn note(&self, name: &str, note: &Note) {
        match note {
            Note::Progress(progress) => {
                let bar = self.bar(name);
                if let Some(fraction) = progress.fraction {
                    bar.set_style(bar_style());
                    bar.set_length(1000);
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "clamped to 0..=1000"
                    )]
                    bar.set_position((fraction.clamp(0.0, 1.0) * 1000.0) as u64);
                }
                bar.set_message(progress.message.clone());
            }
            Note::Log(log) if self.verbose || matches!(log.level, LogLevel::Warning | LogLevel::Error) => {
                self.line(&format!("{} {}", name.dimmed(), log.message));
            }
            Note::Log(_) | Note::Usage(_) => {}
        }
    }

    /// What a worker printed, when the user asked for it.
    pub(super) fn output(&self, plugin: &str, output: &Captured) {
        if !self.verbose {
            return;
        }
        for line in output.tail(usize::MAX).into_iter().filter(|line| line.source != LogSource::Plugin) {
            self.line(&format!("{} {}", plugin.dimmed(), line.text));
        }
        if output.lines_dropped() > 0 {
            self.line(&format!("{} ({} earlier lines dropped)", plugin.dimmed(), output.lines_dropped()));
        }
    }

    /// Removes what is still moving.
    pub(super) fn clear(&self) {
        let _ = self.bars.clear();
    }

    fn environment(&self, plugin: &str, event: &EnvEvent) {
        match event {
            EnvEvent::Interpreter { .. } => {}
            EnvEvent::Waiting { pid } => {
                let who = pid.map_or_else(String::new, |pid| format!(" in process {pid}"));
                self.bar(plugin).set_message(format!("waiting: its environment is being built{who}"));
            }
            EnvEvent::Installing { what, line, .. } => {
                self.bar(plugin).set_message(format!("installing {what}: {}", line.trim()));
            }
            EnvEvent::Ready { seconds, reused } if !reused => {
                self.say(
                    plugin,
                    &format!("environment built in {}", show::duration(Duration::from_secs_f64(*seconds))),
                );
            }
            EnvEvent::Ready { .. } => {}
        }
    }

    fn bar(&self, name: &str) -> ProgressBar {
        let mut bars = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(name.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner().with_style(spinner_style()));
            bar.set_prefix(format!("{name:width$}", width = self.name_width));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.clone()
    }

    fn finish(&self, bar: &ProgressBar, name: &str, said: &str) {
        bar.finish_and_clear();
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.say(name, said);
    }

    fn say(&self, name: &str, said: &str) {
        self.line(&format!("{} {name:width$}  {said}", "✓".green(), width = self.name_width));
    }

    fn line(&self, text: &str) {
        if self.is_terminal {
            let _ = self.bars.println(text);
        } else {
            terminal::say(text);
        }
    }
}

fn python(worker: &Worker) -> &str {
    worker.ready().python.as_deref().unwrap_or("unknown")
}

fn spinner_style() -> ProgressStyle {
    style("{spinner:.cyan} {prefix}  {wide_msg}")
}

fn bar_style() -> ProgressStyle {
    style("{spinner:.cyan} {prefix}  {bar:24.cyan/dim} {percent:>3}%  {wide_msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
