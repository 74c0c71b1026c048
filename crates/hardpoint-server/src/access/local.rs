//! The token of the local user: made at the first start, read by every command line of the same user.

use super::TokensError;
use super::file::{self, Existing};
use super::tokens::random_text;
use std::path::Path;

const NAME: &str = "token";
/// What tells a token of ours from other secrets.
pub(super) const PREFIX: &str = "hp_";
const TOKEN_FILE_BYTES_MAX: usize = 4096;
/// 256 bits.
pub(super) const TOKEN_BYTES: usize = 32;

/// The token in `DATA_DIR/token`, which is made if it is not there. It allows everything.
pub fn local_token(data: &Path) -> Result<String, TokensError> {
    let path = data.join(NAME);
    if let Some(token) = read_local_token(data)? {
        return Ok(token);
    }
    let made = random_text(TOKEN_BYTES)
        .and_then(|random| file::write(&path, &format!("{PREFIX}{random}\n"), Existing::Keep));
    made.map_err(|source| TokensError::File { path: path.clone(), source })?;
    // Another server may have been faster: what is in the file counts.
    read_local_token(data)?.ok_or(TokensError::Empty { path })
}

/// The token in `DATA_DIR/token`; `None` when there is no such file.
pub(super) fn read_local_token(data: &Path) -> Result<Option<String>, TokensError> {
    let path = data.join(NAME);
    let Some(text) = file::read(&path, TOKEN_FILE_BYTES_MAX)? else { return Ok(None) };
    let token = text.trim();
    if token.is_empty() { Err(TokensError::Empty { path }) } else { Ok(Some(token.to_owned())) }
}

pub(super) fn stamp(data: &Path) -> file::Stamp {
    file::stamp(&data.join(NAME))
}
