//! Who may do what: tokens and their scopes, names that this server answers to, pages that may call, rates.
//!
//! Must not know routes or plugins. Secrets are never kept, logged or compared but as hashes.

mod bind;
mod file;
mod keyring;
mod local;
mod names;
mod rate;
mod scope;
mod tokens;

pub use bind::{BindRefused, check_bind};
pub use local::local_token;
pub use scope::Scope;
pub use tokens::{TokenInfo, Tokens, TokensError};

pub(crate) use keyring::Keyring;
pub(crate) use names::{Names, Origin};
pub(crate) use rate::Rate;
