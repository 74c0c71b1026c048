//! Files with secrets: read only when nobody else can read them, written beside their place.
//!
//! Must not know what is in them.

use super::TokensError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What tells one version of a file from the next: inode, size and both times of change.
pub(super) type Stamp = Option<(u64, u64, (i64, i64), (i64, i64))>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), (meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec())))
}

/// The text of a file that only its owner can read; `None` when there is no such file.
pub(super) fn read(path: &Path, max: usize) -> Result<Option<String>, TokensError> {
    let unusable = |source| TokensError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unusable(e)),
    };
    let meta = file.metadata().map_err(unusable)?;
    if meta.mode() & 0o077 != 0 {
        return Err(TokensError::Readable { path: path.to_owned(), mode: meta.mode() & 0o777 });
    }
    let mut text = String::new();
    file.take(max as u64 + 1).read_to_string(&mut text).map_err(unusable)?;
    if text.len() > max {
        return Err(unusable(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is larger than {max} bytes"),
        )));
    }
    Ok(Some(text))
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Replace,
    Keep,
}

/// Writes a file that only its owner can read: all of it or nothing, whoever else does the same.
pub(super) fn write(path: &Path, text: &str, existing: Existing) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = dir.join(format!(".{name}.{}-{}", std::process::id(), super::tokens::random_text(6)?));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match existing {
            Existing::Replace => fs::rename(&beside, path),
            // A link, unlike a rename, never replaces what somebody else has put there meanwhile.
            Existing::Keep => match fs::hard_link(&beside, path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            },
        }?;
        File::open(dir)?.sync_all()
    })();
    let _ = fs::remove_file(&beside);
    written
}
