//! Files that only their owner can read, replaced as a whole or not at all, by one process at a time.
//!
//! Must not know what is in them. A change goes through four steps; killed before the third it leaves the old file,
//! after it the new one.
//!
//! ```text
//!   lock -> written beside, on the disk -> renamed -> the folder on the disk
//! ```

use crate::SecretsError;
use crate::limits::{LOCK_LOOK, LOCK_TIMEOUT};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Instant;

/// What files that are written beside their place begin with.
const BESIDE: &str = ".writing-";
/// Everybody else's permissions.
const OTHERS: u32 = 0o077;

/// How far a change is; a test ends the process there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Locked,
    Written,
    Renamed,
    Done,
}

/// Whoever holds this is the only one who changes something in the folder. It ends with the process.
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, not looked at")] File);

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Keep,
}

pub(crate) fn trouble(path: &Path) -> impl FnOnce(io::Error) -> SecretsError {
    let path = path.to_owned();
    move |source| SecretsError::Io { path, source }
}

/// Makes a folder that only its owner can look into, unless it is there.
pub(crate) fn folder(dir: &Path) -> Result<(), SecretsError> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(trouble(parent))?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(trouble(dir)),
    }
}

impl Lock {
    /// Waits for its turn, for a bounded time.
    pub(crate) fn take(dir: &Path) -> Result<Self, SecretsError> {
        let path = dir.join("lock");
        let open = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let (file, since) = (open.map_err(trouble(&path))?, Instant::now());
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if since.elapsed() < LOCK_TIMEOUT => {
                    std::thread::sleep(LOCK_LOOK);
                }
                Err(TryLockError::WouldBlock) => return Err(SecretsError::Busy),
                Err(TryLockError::Error(source)) => return Err(trouble(&path)(source)),
            }
        }
    }
}

/// The bytes of a file, one more than `max` at most; `None` when there is no such file.
pub(crate) fn read(path: &Path, max: usize) -> Result<Option<Vec<u8>>, SecretsError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(trouble(path)(e)),
    };
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(trouble(path))?;
    Ok(Some(bytes))
}

/// Writes a file whose folder is locked.
pub(crate) fn write(
    path: &Path,
    bytes: &[u8],
    existing: Existing,
    at: &mut dyn FnMut(Step),
) -> Result<(), SecretsError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| {
        // For its owner alone from the first moment.
        let mut beside = tempfile::Builder::new().prefix(BESIDE).tempfile_in(dir)?;
        beside.write_all(bytes)?;
        beside.as_file().sync_all()?;
        at(Step::Written);
        match existing {
            Existing::Replace => drop(beside.persist(path).map_err(|e| e.error)?),
            Existing::Keep => drop(beside.persist_noclobber(path).map_err(|e| e.error)?),
        }
        at(Step::Renamed);
        File::open(dir)?.sync_all()
    })();
    at(Step::Done);
    written.map_err(trouble(path))
}

/// Removes what writers that were killed left in a folder that is locked.
pub(crate) fn sweep(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let beside = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(BESIDE));
    beside.for_each(|entry| drop(fs::remove_file(entry.path())));
}

/// The permissions of what somebody else than its owner may read or write.
pub(crate) fn loose(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}
