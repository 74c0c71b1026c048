//! Owns the secrets of plugins: one sealed file in the data folder, its key beside, each change whole or not at all.
//!
//! Must not know workers, HTTP or the terminal. A value leaves this crate as a [`hardpoint_model::Secret`] and no
//! message of it has one in it.
//!
//! ```text
//!   DATA_DIR/secrets.key               0600   32 random bytes; HARDPOINT_SECRETS_KEY_FILE names another place
//!   DATA_DIR/secrets/        0700
//!                   secrets.json       0600   sealed: scope -> plugin -> name -> value
//!                   lock               0600   held while something is changed
//! ```

mod error;
mod file;
pub mod limits;
mod plain;
mod seal;
mod store;

pub use error::SecretsError;
pub use plain::Secrets;
pub use store::{DEFAULT_SCOPE, Place, SecretStore, check_kept_name, check_name};
