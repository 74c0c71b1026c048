//! Owns the checks behind the `format` keywords of the configuration's schema.
//! Pure functions from a text to a sentence.

use std::net::{IpAddr, SocketAddr};

use crate::ids::PluginName;
use crate::schema::{Format, FormatProblem};
use crate::suggest::quoted;

type Checked = Result<(), FormatProblem>;

/// The formats of the configuration's schema.
pub(super) const FORMATS: &[Format] = &[
    ("listen-address", listen_address),
    ("plugin-name", plugin_name),
    ("host-name", host_name),
    ("origin", origin),
];

fn wrong(message: String, hint: impl Into<String>) -> Checked {
    Err(FormatProblem { message, hint: Some(hint.into()) })
}

fn listen_address(text: &str) -> Checked {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let message = format!("must be an IP address and a port, got `{}`", quoted(text));
    if text.parse::<IpAddr>().is_ok() {
        let meant = if text.contains(':') { format!("[{text}]:8700") } else { format!("{text}:8700") };
        return wrong(message, format!("add a port: `{meant}`"));
    }
    let port = text.rsplit_once(':').map_or(text, |(_, port)| port).parse::<u16>().unwrap_or(8700);
    let hint = match text.rsplit_once(':') {
        Some(("*" | "", _)) => {
            format!("write `127.0.0.1:{port}` for this machine alone, `0.0.0.0:{port}` for every interface")
        }
        Some(_) | None => format!("write for example `127.0.0.1:{port}`"),
    };
    wrong(message, hint)
}

fn plugin_name(text: &str) -> Checked {
    let Err(error) = text.parse::<PluginName>() else { return Ok(()) };
    let hint = PluginName::suggested_for(text).map(|name| format!("for example `{name}`"));
    Err(FormatProblem { message: format!("{error}, got `{}`", quoted(text)), hint })
}

fn host_name(text: &str) -> Checked {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if text.is_empty() || !text.chars().all(fits) {
        let message = format!("must be the name of a host, got `{}`", quoted(text));
        return wrong(message, "write the name alone: `plugins.example.com`");
    }
    Ok(())
}

fn origin(text: &str) -> Checked {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_some_and(|host| host_name(host).is_ok()) {
        return Ok(());
    }
    let message = format!("must be an origin, got `{}`", quoted(text));
    wrong(message, "write scheme and host, without a path: `https://app.example.com`")
}
