//! Why secrets cannot be kept or read. No message has a value in it.

use crate::limits::{FILE_BYTES_MAX, LOCK_TIMEOUT, PER_PLUGIN_MAX, PLUGIN_BYTES_MAX, VALUE_BYTES_MAX};
use std::io;
use std::path::PathBuf;

/// Why something cannot be done with secrets. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The name of a secret, a plugin or a scope is none.
    #[error("{what} `{name}`: {why}")]
    Name {
        /// What it should be the name of.
        what: &'static str,
        /// The text.
        name: String,
        /// What is wrong with it.
        why: String,
        /// What to do about it.
        hint: String,
    },
    /// No process could be given the value.
    #[error("the value of `{name}` {why}")]
    Value {
        /// The name of the secret.
        name: String,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// There are too many already.
    #[error(
        "plugin `{plugin}` would have more than it may: {PER_PLUGIN_MAX} secrets of {PLUGIN_BYTES_MAX} bytes together"
    )]
    Full {
        /// The plugin.
        plugin: String,
    },
    /// The file would be too large.
    #[error("all secrets together would be more than {FILE_BYTES_MAX} bytes")]
    FileFull,
    /// Somebody else changes secrets for too long.
    #[error("somebody else has been changing secrets for {} s", LOCK_TIMEOUT.as_secs())]
    Busy,
    /// What is in a file is not what was put there.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// The other one of the two, which is of no use without it.
        other: PathBuf,
    },
    /// The secrets are there and their key is not.
    #[error("there is no key for the secrets: {} is missing", path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
        /// The secrets.
        secrets: PathBuf,
    },
    /// The file is not sealed.
    #[error("{} is not sealed: it is the plain file of another host", path.display())]
    Plain {
        /// The file.
        path: PathBuf,
    },
    /// The file to import is none.
    #[error("{} is no file of secrets: {why}", path.display())]
    NotImportable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The disk refused something.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The machine has no random numbers.
    #[error("the machine gives no random numbers")]
    Random,
}

impl SecretsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Name { hint, .. } => hint.clone(),
            Self::Value { .. } => format!("a value is at most {VALUE_BYTES_MAX} bytes of text"),
            Self::Full { plugin } => format!("`hardpoint secret delete {plugin} NAME` makes room"),
            Self::FileFull => "delete some with `hardpoint secret delete PLUGIN NAME`".to_owned(),
            Self::Busy => "try again in a moment".to_owned(),
            Self::Unreadable { path, other, .. } => format!(
                "put back the file as it was; or move both {} and {} away and set the secrets anew: nothing overwrites them",
                path.display(),
                other.display()
            ),
            Self::KeyMissing { path, secrets } => format!(
                "put the key back to {}, or name its file in HARDPOINT_SECRETS_KEY_FILE; without it the secrets are lost: \
                 move {} away and set them anew",
                path.display(),
                secrets.display()
            ),
            Self::Plain { path } => {
                format!(
                    "move {} away, then `hardpoint secret import FILE` takes its secrets over",
                    path.display()
                )
            }
            Self::NotImportable { .. } => {
                "it must be JSON: {\"__default__\": {\"PLUGIN\": {\"NAME\": \"value\"}}}".to_owned()
            }
            Self::Io { path, .. } => format!("look whether {} may be read and written", path.display()),
            Self::Random => "look at the log of the machine".to_owned(),
        }
    }

    /// Whether the request was wrong, and not what there is to work with.
    pub fn is_of_request(&self) -> bool {
        match self {
            Self::Name { .. }
            | Self::Value { .. }
            | Self::Full { .. }
            | Self::FileFull
            | Self::NotImportable { .. } => true,
            Self::Busy
            | Self::Unreadable { .. }
            | Self::KeyMissing { .. }
            | Self::Plain { .. }
            | Self::Io { .. }
            | Self::Random => false,
        }
    }
}
