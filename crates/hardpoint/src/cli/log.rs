//! The log on stderr: one line per event, the plugin and its incarnation first.
//!
//! Owns the layout and the filter. A command that is over in a moment logs nothing unless it is asked to.

use crate::embedded::Failure;
use hardpoint_model::config::{Loaded, Origin};
use jiff::Timestamp;
use owo_colors::{OwoColorize as _, Style};
use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The filter that is configured.
pub(super) fn filter(loaded: &Loaded) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(&loaded.config.log).map_err(|e| {
        let origin = loaded.origin("log");
        Failure::request(
            format!("`log` ({origin}) is not a filter: {e}"),
            "write a level, `info`, or levels by part, `info,hardpoint_env=debug`",
        )
    })
}

/// Starts logging for a server.
pub(super) fn for_server(loaded: &Loaded) -> Result<(), Failure> {
    start(filter(loaded)?);
    Ok(())
}

/// Starts logging for a command: only what somebody asked for on the command line or in the environment.
pub(super) fn for_command(loaded: &Loaded) -> Result<(), Failure> {
    match loaded.origin("log") {
        Origin::CommandLine { .. } | Origin::Environment { .. } => start(filter(loaded)?),
        Origin::File { .. } | Origin::Default => {}
    }
    Ok(())
}

fn start(filter: EnvFilter) {
    let layout =
        Layout { colours: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(layout)
        .init();
}

struct Layout {
    colours: bool,
}

impl<S, N> FormatEvent<S, N> for Layout
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let paint = |style: Style| if self.colours { style } else { Style::new() };
        let level = *event.metadata().level();
        write!(writer, "{} ", format_args!("{:.3}", Timestamp::now()).style(paint(Style::new().dimmed())))?;
        write!(writer, "{} ", format_args!("{level:<5}").style(paint(colour(level))))?;
        if let Some(plugin) = &fields.plugin {
            let incarnation = fields.incarnation.map_or_else(String::new, |number| format!("[{number}]"));
            write!(writer, "{}{incarnation} ", plugin.style(paint(Style::new().bold())))?;
        }
        write_tame(&mut writer, fields.message.trim_end())?;
        write_tame(&mut writer, &fields.others)?;
        writeln!(writer)
    }
}

/// What a plugin said may neither move the cursor nor look like a line of its own.
fn write_tame(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\n' => writer.write_str("\n  | ")?,
            '\t' => writer.write_char(c)?,
            c if c.is_control() => write!(writer, "{}", c.escape_default())?,
            c => writer.write_char(c)?,
        }
    }
    Ok(())
}

fn colour(level: Level) -> Style {
    match level {
        Level::ERROR => Style::new().red().bold(),
        Level::WARN => Style::new().yellow(),
        Level::INFO => Style::new().green(),
        Level::DEBUG | Level::TRACE => Style::new().dimmed(),
    }
}

#[derive(Default)]
struct Fields {
    plugin: Option<String>,
    incarnation: Option<u64>,
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "plugin" => self.plugin = Some(value.to_owned()),
            "message" => value.clone_into(&mut self.message),
            // Where the source of another crate lay when it was built.
            name if name.starts_with("log.") => {}
            name => {
                let _ = write!(self.others, " {name}={value}");
            }
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "incarnation" {
            self.incarnation = Some(value);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
