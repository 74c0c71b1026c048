//! Which names this server answers to, and the pages of which origins may call it.
//!
//! A page on the web can make its own name point at this machine (DNS rebinding), and any page can send
//! requests to a known address. Both show in `Host` and `Origin`. Pure.

use std::net::IpAddr;

/// The names and origins that an operator has allowed.
#[derive(Debug)]
pub(crate) struct Names {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// What an `Origin` header says of the page that sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It comes from this server.
    Here,
    /// It comes from elsewhere and is allowed.
    Allowed,
    /// It comes from elsewhere.
    Foreign,
}

impl Names {
    pub(crate) fn new(hosts: &[String], origins: &[String]) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let origins =
            origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { hosts, origins }
    }

    /// Whether a `Host` header names this server, which was reached at `address`.
    pub(crate) fn is_host(&self, host: &str, address: IpAddr) -> bool {
        let name = without_port(host);
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if let Ok(ip) = bare.parse::<IpAddr>()
            && (ip.to_canonical().is_loopback() || ip.to_canonical() == address.to_canonical())
        {
            return true;
        }
        self.hosts
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name))
    }

    /// Where a page comes from. `host` has been found to name this server.
    pub(crate) fn origin(&self, origin: &str, host: &str) -> Origin {
        let own = ["http://", "https://"]
            .iter()
            .any(|scheme| origin.strip_prefix(scheme).is_some_and(|name| name.eq_ignore_ascii_case(host)));
        if own {
            Origin::Here
        } else if self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            Origin::Allowed
        } else {
            Origin::Foreign
        }
    }
}

fn without_port(host: &str) -> &str {
    let end_of_name = host.rfind(']').map_or(0, |at| at + 1);
    match host.get(end_of_name..).and_then(|rest| rest.rfind(':')) {
        Some(colon) => host.get(..end_of_name + colon).unwrap_or(host),
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(&["Plugins.example".into(), "other:8443".into()], &["https://panel.example/".into()])
    }

    #[test]
    fn it_answers_to_loopback_its_own_address_and_what_is_allowed() {
        let address: IpAddr = "10.1.2.3".parse().unwrap();
        let cases = [
            ("localhost", true),
            ("LOCALHOST:8700", true),
            ("127.0.0.1:8700", true),
            ("127.1.1.1", true),
            ("[::1]:8700", true),
            ("[::1]", true),
            ("10.1.2.3:8700", true),
            ("[::ffff:10.1.2.3]:8700", true),
            ("10.1.2.4:8700", false),
            ("plugins.example:1", true),
            ("other:8443", true),
            ("other:8444", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:8700", false),
            ("evil.example", false),
            ("", false),
            ("[", false),
            (":", false),
        ];
        for (host, expected) in cases {
            assert_eq!(names().is_host(host, address), expected, "{host:?}");
        }
    }

    #[test]
    fn a_page_may_call_when_it_is_our_own_or_allowed() {
        let cases = [
            ("http://localhost:8700", Origin::Here),
            ("https://localhost:8700", Origin::Here),
            ("http://localhost:8701", Origin::Foreign),
            ("https://panel.example", Origin::Allowed),
            ("http://panel.example", Origin::Foreign),
            ("https://panel.example.evil", Origin::Foreign),
            ("null", Origin::Foreign),
            ("", Origin::Foreign),
        ];
        for (origin, expected) in cases {
            assert_eq!(names().origin(origin, "localhost:8700"), expected, "{origin:?}");
        }
    }
}
