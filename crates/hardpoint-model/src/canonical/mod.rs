//! Owns the name of a JSON value: the same for the same value, whoever wrote it and in whatever order; and the names of
//! bytes. Knows nothing of what is named.
//!
//! The canonical text is the one that Python's `json.dumps(value, sort_keys=True, separators=(",", ":"))` writes, so that
//! hosts and plugins find the same name for the same value: keys sorted by code point, everything beyond ASCII escaped,
//! numbers as Python's `repr` writes them.

mod node;
mod read;
mod write;

use serde_json::Value;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::fmt::Write as _;
use std::str::FromStr;

pub use read::NotJson;

use node::Node;

/// A way to name bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-2 with 256 bits: what is used unless another one is named.
    Sha256,
    /// SHA-2 with 384 bits.
    Sha384,
    /// SHA-2 with 512 bits.
    Sha512,
    /// SHA-3 with 256 bits.
    Sha3,
}

/// Why a text is not the name of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// There is no colon in it.
    #[error("must be an algorithm, a colon and hexadecimal digits: `sha256:…`")]
    Shape,
    /// An algorithm that is not known.
    #[error("`{0}` is no algorithm that is known; known are sha256, sha384, sha512, sha3_256")]
    Algorithm(String),
}

impl Algorithm {
    /// The word before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha3 => "sha3_256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let all = [Self::Sha256, Self::Sha384, Self::Sha512, Self::Sha3];
        let known = all.into_iter().find(|algorithm| algorithm.name() == text);
        known.ok_or_else(|| HashError::Algorithm(crate::suggest::quoted(text)))
    }
}

/// The value as canonical text.
pub fn canonical_json(value: &Value) -> String {
    write::text(&Node::of(value))
}

/// The JSON in a text as canonical text. Takes what Python's reader takes: also `NaN`, integers of any length, and halves
/// of surrogate pairs.
pub fn canonical_text(text: &str) -> Result<String, NotJson> {
    Ok(write::text(&read::read(text)?))
}

/// `sha256:` and the digest of the canonical text in hexadecimal digits. Nothing at all has the name of an empty object.
pub fn sha256_of(value: &Value) -> String {
    let node = Node::of(value);
    let node = if node.is_nothing() { Node::Object(std::collections::BTreeMap::new()) } else { node };
    hash_bytes(write::text(&node).as_bytes(), Algorithm::Sha256)
}

/// The algorithm, a colon and the digest of the bytes.
pub fn hash_bytes(content: &[u8], algorithm: Algorithm) -> String {
    let digest: Vec<u8> = match algorithm {
        Algorithm::Sha256 => Sha256::digest(content).to_vec(),
        Algorithm::Sha384 => Sha384::digest(content).to_vec(),
        Algorithm::Sha512 => Sha512::digest(content).to_vec(),
        Algorithm::Sha3 => sha3::Sha3_256::digest(content).to_vec(),
    };
    digest.iter().fold(format!("{}:", algorithm.name()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether `expected`, as [`hash_bytes`] writes it, names these bytes.
pub fn verify_hash(content: &[u8], expected: &str) -> Result<bool, HashError> {
    let (algorithm, _) = expected.split_once(':').ok_or(HashError::Shape)?;
    Ok(hash_bytes(content, algorithm.parse()?).eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests;
