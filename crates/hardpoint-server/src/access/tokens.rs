//! The tokens in `DATA_DIR/tokens.json`: made and removed by commands, used by the server.
//!
//! Owns the file. A token is shown once, when it is made; the file holds its hash.

use super::Scope;
use super::file::{self, Existing};
use super::local::{PREFIX, TOKEN_BYTES};
use crate::limits::{TOKENS_FILE_BYTES_MAX, TOKENS_MAX};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const NAME: &str = "tokens.json";
const LOCK: &str = "tokens.lock";
const NAME_CHARS_MAX: usize = 64;

/// The tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A file cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("{} can be read by others (mode {mode:03o})", path.display())]
    Readable {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is no token in it.
    #[error("{} is empty", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// It is not what this program writes.
    #[error("{} is broken: {why}", path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A name that cannot be used.
    #[error("`{0}` cannot be the name of a token")]
    Name(String),
    /// The name is taken.
    #[error("there is a token `{0}` already")]
    Taken(String),
    /// There is no such token.
    #[error("there is no token `{0}`")]
    Unknown(String),
    /// A token must allow something.
    #[error("a token without scopes allows nothing")]
    NoScope,
    /// There are too many.
    #[error("there are {TOKENS_MAX} tokens already")]
    TooMany,
}

impl TokensError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::File { .. } => "check the data folder and who owns it".to_owned(),
            Self::Readable { path, .. } => format!(
                "make it yours alone: `chmod 600 {}`; if others may have read it, remove it, so that a new one is made",
                path.display()
            ),
            Self::Empty { path } => format!("remove {}: the next start makes a new one", path.display()),
            Self::Broken { path, .. } => {
                format!("mend {}, or remove it and make the tokens again", path.display())
            }
            Self::Name(_) => {
                format!("use up to {NAME_CHARS_MAX} letters, digits, `-`, `_` and `.`")
            }
            Self::Taken(name) => format!("choose another name, or remove `{name}` first"),
            Self::Unknown(_) => "list the tokens to see their names".to_owned(),
            Self::NoScope => "give it one of read, run and admin".to_owned(),
            Self::TooMany => "remove those that nobody uses".to_owned(),
        }
    }
}

/// What is known of a token. Not the token itself: nobody has that but its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    info: TokenInfo,
    sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    tokens: Vec<Entry>,
}

/// The tokens of a data folder, as they are on disk now.
#[derive(Debug)]
pub struct Tokens {
    data: PathBuf,
    document: Document,
}

impl Tokens {
    /// Reads them; no file means no tokens.
    pub fn open(data: &Path) -> Result<Self, TokensError> {
        Ok(Self { data: data.to_owned(), document: read_document(data)? })
    }

    /// Makes a token and returns it: it can never be shown again.
    pub fn add(&mut self, name: &str, scopes: &[Scope]) -> Result<String, TokensError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
            return Err(TokensError::Name(name.to_owned()));
        }
        if scopes.is_empty() {
            return Err(TokensError::NoScope);
        }
        let random = random_text(TOKEN_BYTES).map_err(|source| self.unusable(source))?;
        let token = format!("{PREFIX}{random}");
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        let info = TokenInfo { name: name.to_owned(), scopes, created_at: Timestamp::now() };
        let sha256 = hash(&token).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        self.change(|tokens| {
            if tokens.iter().any(|entry| entry.info.name == name) {
                return Err(TokensError::Taken(name.to_owned()));
            }
            if tokens.len() >= TOKENS_MAX {
                return Err(TokensError::TooMany);
            }
            tokens.push(Entry { info, sha256 });
            Ok(())
        })?;
        Ok(token)
    }

    /// All of them, in the order in which they were made.
    pub fn list(&self) -> impl Iterator<Item = &TokenInfo> {
        self.document.tokens.iter().map(|entry| &entry.info)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.document.tokens.is_empty()
    }

    /// Takes a token back; a running server refuses it within a second.
    pub fn remove(&mut self, name: &str) -> Result<(), TokensError> {
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|entry| entry.info.name != name);
            if tokens.len() == before { Err(TokensError::Unknown(name.to_owned())) } else { Ok(()) }
        })
    }

    /// Each token's hash, name and the most that it allows.
    pub(super) fn hashes(&self) -> Result<Vec<(Hash, String, Scope)>, TokensError> {
        let broken = |why: String| TokensError::Broken { path: self.data.join(NAME), why };
        let entries = self.document.tokens.iter().map(|entry| {
            let name = &entry.info.name;
            let hash = parse_hash(&entry.sha256)
                .ok_or_else(|| broken(format!("`sha256` of token `{name}` is not 64 hexadecimal digits")))?;
            let scope = entry.info.scopes.iter().max();
            let scope = *scope.ok_or_else(|| broken(format!("token `{name}` has no scopes")))?;
            Ok((hash, name.clone(), scope))
        });
        entries.collect()
    }

    /// Changes the file as it is now, while nobody else does.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Vec<Entry>) -> Result<(), TokensError>,
    ) -> Result<(), TokensError> {
        let _lock = lock(&self.data).map_err(|source| self.unusable(source))?;
        let mut document = read_document(&self.data)?;
        change(&mut document.tokens)?;
        let text = serde_json::to_string_pretty(&document).map_err(|e| self.unusable(e.into()))?;
        file::write(&self.data.join(NAME), &format!("{text}\n"), Existing::Replace)
            .map_err(|source| self.unusable(source))?;
        self.document = document;
        Ok(())
    }

    fn unusable(&self, source: io::Error) -> TokensError {
        TokensError::File { path: self.data.join(NAME), source }
    }
}

pub(super) type Hash = [u8; 32];

pub(super) fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

pub(super) fn stamp(data: &Path) -> file::Stamp {
    file::stamp(&data.join(NAME))
}

/// That many random bytes as text that fits into a header and a file name.
pub(super) fn random_text(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

/// Held until it is dropped.
fn lock(data: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(data.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

fn read_document(data: &Path) -> Result<Document, TokensError> {
    let path = data.join(NAME);
    let Some(text) = file::read(&path, TOKENS_FILE_BYTES_MAX)? else { return Ok(Document::default()) };
    serde_json::from_str(&text).map_err(|e| TokensError::Broken { path, why: e.to_string() })
}

fn parse_hash(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_kept_as_a_hash_for_its_owner_alone_and_can_be_taken_back() {
        let data = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::open(data.path()).unwrap();
        let token = tokens.add("ci", &[Scope::Run, Scope::Read]).unwrap();
        let path = data.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&token), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Tokens::open(data.path()).unwrap();
        assert_eq!(again.hashes().unwrap(), [(hash(&token), "ci".to_owned(), Scope::Run)]);
        assert!(matches!(tokens.add("ci", &[Scope::Read]), Err(TokensError::Taken(_))));
        tokens.remove("ci").unwrap();
        assert!(Tokens::open(data.path()).unwrap().is_empty());
        assert!(matches!(tokens.remove("ci"), Err(TokensError::Unknown(_))));
    }

    #[test]
    fn names_that_would_not_fit_into_a_file_or_a_log_are_refused() {
        let data = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::open(data.path()).unwrap();
        for name in ["", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(matches!(tokens.add(name, &[Scope::Read]), Err(TokensError::Name(_))), "{name:?}");
        }
        assert!(matches!(tokens.add("none", &[]), Err(TokensError::NoScope)));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let data = tempfile::tempdir().unwrap();
        Tokens::open(data.path()).unwrap().add("ci", &[Scope::Read]).unwrap();
        let path = data.path().join(NAME);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Tokens::open(data.path()).unwrap_err();
        assert!(error.to_string().ends_with("can be read by others (mode 640)"), "{error}");
        assert!(error.hint().contains("chmod 600"), "{}", error.hint());
    }

    #[test]
    fn many_who_add_at_once_lose_nothing() {
        let data = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let data = data.path();
                scope.spawn(move || {
                    Tokens::open(data).unwrap().add(&format!("t{n}"), &[Scope::Read]).unwrap()
                });
            }
        });
        assert_eq!(Tokens::open(data.path()).unwrap().list().count(), 8);
    }
}
