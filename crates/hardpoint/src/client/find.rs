//! Which server is meant, and with which token it is asked.
//!
//! Server: the one named, else that of `HARDPOINT_SERVER`, else the one that runs on this data folder, else the
//! configured address. Token: `HARDPOINT_TOKEN`, else the local user's, which is sent to this machine alone.

use crate::embedded::{Failure, read_bounded};
use crate::serve;
use hardpoint_model::Config;
use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A token is some 60 characters; more is none.
const TOKEN_BYTES_MAX: usize = 4096;

/// A server to ask.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Scheme, host and port.
    pub(crate) url: Url,
    /// What it is asked with.
    pub(crate) token: Option<String>,
    /// Whether it runs on this machine.
    pub(crate) is_local: bool,
    /// Its process, when it runs on this data folder.
    pub(crate) pid: Option<u32>,
    /// Where the local user's token is looked for.
    pub(crate) token_file: PathBuf,
}

impl Target {
    /// Its address for people: without the slash at its end.
    pub(crate) fn shown(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

/// The server that is meant. `named`: what `--server` says, if it says anything.
pub(crate) fn find(named: Option<&str>, config: &Config, data: &Path) -> Result<Target, Failure> {
    let running = serve::running(data);
    let named = named.filter(|text| !text.is_empty()).map(str::to_owned);
    let named = named.or_else(|| set("HARDPOINT_SERVER"));
    let url = match (&named, &running) {
        (Some(text), _) => parse(text)?,
        (None, Some(note)) => parse(&note.url)?,
        (None, None) => parse(&format!("http://{}", reachable(config.listen)))?,
    };
    let own = running.filter(|note| parse(&note.url).is_ok_and(|of_note| of_note == url));
    let is_local = own.is_some() || is_loopback(&url);
    let token_file = data.join("token");
    let token = set("HARDPOINT_TOKEN").or_else(|| {
        let text = read_bounded(&token_file, TOKEN_BYTES_MAX).ok().filter(|_| is_local)?;
        Some(text.trim().to_owned()).filter(|token| !token.is_empty())
    });
    Ok(Target { url, token, is_local, pid: own.map(|note| note.pid), token_file })
}

/// Whether there is a server that is meant when none is named: that of `HARDPOINT_SERVER`, or one on this data folder.
pub(crate) fn is_meant(data: &Path) -> bool {
    set("HARDPOINT_SERVER").is_some() || serve::running(data).is_some()
}

fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// `127.0.0.1:8700`, `http://127.0.0.1:8700` or `http://127.0.0.1:8700/`.
fn parse(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::request(
            format!("`{text}` is not the address of a server: {why}"),
            "write for example `--server http://127.0.0.1:8700`",
        )
    };
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|e| wrong(&e.to_string()))?;
    match url.scheme() {
        "http" => {}
        "https" => {
            return Err(Failure::request(
                format!("`{text}` wants https, which this command line does not speak"),
                "forward a port to that machine (`ssh -L 8700:127.0.0.1:8700 HOST`) and use http://127.0.0.1:8700",
            ));
        }
        other => return Err(wrong(&format!("`{other}://` is unknown"))),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        return Err(wrong("only a host and a port may stand there"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// "Every interface" is no address to call.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_its_scheme() {
        for text in ["127.0.0.1:8700", "http://127.0.0.1:8700", "http://127.0.0.1:8700/"] {
            assert_eq!(parse(text).unwrap().as_str(), "http://127.0.0.1:8700/");
        }
        for (text, expected) in [
            ("https://example.com", "wants https"),
            ("ftp://example.com", "unknown"),
            ("http://", "empty host"),
            ("http://a/b", "only a host and a port"),
            ("http://me@a", "only a host and a port"),
            ("a b", "not the address of a server"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    #[test]
    fn the_local_token_is_for_this_machine_alone() {
        for (text, local) in [
            ("localhost:1", true),
            ("127.8.8.8:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("localhost.example.com:1", false),
            ("[::]:1", false),
        ] {
            assert_eq!(is_loopback(&parse(text).unwrap()), local, "{text}");
        }
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("token"), "secret\n").unwrap();
        let token = |named| find(Some(named), &Config::default(), data.path()).unwrap().token;
        assert_eq!(token("127.0.0.1:1").as_deref(), Some("secret"));
        assert_eq!(token("10.0.0.1:1"), None);
    }

    #[test]
    fn every_interface_is_reached_through_the_loopback_one() {
        for (listen, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), reached.parse::<SocketAddr>().unwrap());
        }
    }
}
