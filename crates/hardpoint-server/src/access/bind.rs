//! Which addresses may be listened on.

use super::Tokens;
use std::net::SocketAddr;

/// An address that others can reach, and nobody has a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} can be reached by others, and there is no token for them")]
pub struct BindRefused(pub SocketAddr);

impl BindRefused {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "make one with `hardpoint token add NAME --scope read`, or listen on 127.0.0.1"
    }
}

/// Whether this address may be listened on: loopback always, others only when somebody was given a token.
pub fn check_bind(addr: SocketAddr, tokens: &Tokens) -> Result<(), BindRefused> {
    let local = addr.ip().to_canonical().is_loopback();
    if local || !tokens.is_empty() { Ok(()) } else { Err(BindRefused(addr)) }
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::*;

    #[test]
    fn an_address_that_others_can_reach_needs_a_token() {
        let data = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::open(data.path()).unwrap();
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        for local in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_bind(addr(local), &tokens), Ok(()), "{local}");
        }
        for open in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80"] {
            assert_eq!(check_bind(addr(open), &tokens), Err(BindRefused(addr(open))), "{open}");
        }
        tokens.add("ci", &[Scope::Read]).unwrap();
        assert_eq!(check_bind(addr("0.0.0.0:80"), &tokens), Ok(()));
    }
}
