//! States, lives and times as a person sees them.

use comfy_table::{Attribute, Cell, Color};
use hardpoint_model::PluginState;
use hardpoint_model::health::{Liveness, PluginHealth};
use owo_colors::{OwoColorize as _, Style};

/// The colour of a state.
pub(super) fn style(state: PluginState) -> Style {
    match state {
        PluginState::Loaded => Style::new().yellow(),
        PluginState::Initialized => Style::new().green(),
        PluginState::Running => Style::new().cyan(),
        PluginState::Failed => Style::new().red().bold(),
        PluginState::Unavailable => Style::new().magenta(),
    }
}

pub(super) fn painted(state: PluginState) -> String {
    state.style(style(state)).to_string()
}

pub(super) fn cell(state: PluginState) -> Cell {
    let (colour, bold) = match state {
        PluginState::Loaded => (Color::Yellow, false),
        PluginState::Initialized => (Color::Green, false),
        PluginState::Running => (Color::Cyan, false),
        PluginState::Failed => (Color::Red, true),
        PluginState::Unavailable => (Color::Magenta, false),
    };
    let cell = Cell::new(state).fg(colour);
    if bold { cell.add_attribute(Attribute::Bold) } else { cell }
}

pub(super) fn life(liveness: Liveness) -> &'static str {
    match liveness {
        Liveness::None => "-",
        Liveness::Live => "live",
        Liveness::Stuck => "stuck",
        Liveness::Unresponsive => "unresponsive",
    }
}

pub(super) fn life_cell(liveness: Liveness) -> Cell {
    let cell = Cell::new(life(liveness));
    match liveness {
        Liveness::None | Liveness::Live => cell,
        Liveness::Stuck => cell.fg(Color::Yellow),
        Liveness::Unresponsive => cell.fg(Color::Red),
    }
}

/// What there is to say about a plugin that does not simply run, and what to do about it.
pub(super) fn remarks(health: &PluginHealth) -> Vec<String> {
    let mut said = Vec::new();
    let name = &health.name;
    if let Some(reason) = &health.reason {
        said.push(reason.clone());
    }
    if let Some(at) = health.restart_at {
        said.push(format!("it is started again at {at:.0}"));
    }
    if let Some(step) = &health.starting {
        said.push(format!("`{name}` is starting: {step}"));
    }
    if let Some(since) = health.unresponsive_since {
        said.push(format!("its worker has given no sign of life since {since:.0}"));
    }
    if let Some(since) = health.main_thread_stuck_since {
        said.push(format!("one call has kept its main thread since {since:.0}"));
    }
    let idle = health.state == PluginState::Loaded && health.starting.is_none();
    if health.made_room {
        said.push("it made room for another plugin; its next call starts it again".to_owned());
    } else if idle && health.enabled {
        said.push(format!("it is not loaded (`hardpoint plugin load {name}` starts it)"));
    }
    if !health.enabled {
        said.push(format!("it takes no calls: it is disabled (`hardpoint plugin enable {name}`)"));
    }
    said
}

/// A time for people: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `4 d 2 h`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time above zero, in seconds")]
pub(super) fn time(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// A duration in milliseconds: `0.8 ms`, `120 ms`, `3.2 s`.
pub(super) fn millis(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => time(ms / 1000.0),
    }
}

pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}
