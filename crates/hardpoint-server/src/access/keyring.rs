//! The tokens that a running server knows: loaded, compared in constant time, and looked at again.
//!
//! Owns the hashes in memory. Must not know how a request carries its token.

use super::local::{self, local_token, read_local_token};
use super::tokens::{self, Hash, hash};
use super::{Scope, Tokens, TokensError};
use crate::limits::TOKENS_LOOK;
use arc_swap::ArcSwap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// A token that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it is called; the local user's has no name.
    pub(crate) name: Arc<str>,
    /// The most that it allows.
    pub(crate) scope: Scope,
}

/// All tokens that are known.
#[derive(Debug)]
pub(crate) struct Keyring {
    data: PathBuf,
    keys: ArcSwap<Vec<(Hash, Known)>>,
}

const LOCAL: &str = "(local)";

impl Keyring {
    /// Reads the tokens, and makes the local user's if it is not there.
    pub(crate) fn open(data: &Path) -> Result<Self, TokensError> {
        local_token(data)?;
        let keys = ArcSwap::from_pointee(read(data)?);
        Ok(Self { data: data.to_owned(), keys })
    }

    /// What a token allows. Takes the same time whichever token it is, and whether it is one.
    pub(crate) fn find(&self, token: &str) -> Option<Known> {
        let wanted = hash(token);
        let keys = self.keys.load();
        let mut found = None;
        for (hash, known) in keys.iter() {
            if bool::from(hash.ct_eq(&wanted)) {
                found = Some(known);
            }
        }
        found.cloned()
    }

    /// Takes up every change on disk, for ever. A broken file changes nothing and is told once.
    pub(crate) async fn watch(&self) {
        let stamps = || (local::stamp(&self.data), tokens::stamp(&self.data));
        let mut seen = None;
        let mut look = tokio::time::interval(TOKENS_LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let now = stamps();
            if seen == Some(now) {
                continue;
            }
            match read(&self.data) {
                Ok(keys) => self.keys.store(Arc::new(keys)),
                Err(error) => tracing::error!(hint = error.hint(), "the tokens stay as they were: {error}"),
            }
            seen = Some(now);
        }
    }
}

fn read(data: &Path) -> Result<Vec<(Hash, Known)>, TokensError> {
    let known = |name: &str, scope| Known { name: name.into(), scope };
    let local = read_local_token(data)?.map(|token| (hash(&token), known(LOCAL, Scope::Admin)));
    let others = Tokens::open(data)?.hashes()?;
    Ok(local
        .into_iter()
        .chain(others.into_iter().map(|(hash, name, scope)| (hash, known(&name, scope))))
        .collect())
}
