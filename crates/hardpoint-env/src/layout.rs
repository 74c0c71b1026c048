//! Owns the files of one key: the lock, the builds, the pointer to the current one, and the order in
//! which they are written so that a crash at any point leaves the old build in use.
//! Knows nothing of what a build contains.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::EnvError;
use crate::event::{EnvEvent, Listener};
use crate::limits::{LOCK_RETRY, LOCK_WAIT_MAX, MARKER_BYTES_MAX};

const CURRENT: &str = "current";
const MARKER: &str = "complete.json";

/// One key's place on disk.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    folder: PathBuf,
    lock: PathBuf,
}

/// The file that makes a build complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) format: u32,
    pub(crate) key: String,
    pub(crate) python_version: String,
    /// The program in the build that must still be there, relative to it.
    pub(crate) program: PathBuf,
    /// What made it, for people who look: `venv`, `uv`, `pip`.
    pub(crate) made_by: String,
}

/// Exclusive use of a slot; ends with the value, or with the process.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    _file: Arc<File>,
}

impl Slot {
    pub(crate) fn new(parent: &Path, key: &str) -> Self {
        Self { folder: parent.join(key), lock: parent.join(format!("{key}.lock")) }
    }

    /// The current build, when it is complete, made for `key`, and its program is still there.
    pub(crate) fn ready(&self, format: u32, key: &str) -> Option<(PathBuf, Marker)> {
        let build = self.folder.join(fs::read_link(self.folder.join(CURRENT)).ok()?);
        let marker = read_marker(&build)?;
        let fits = marker.format == format && marker.key == key && build.join(&marker.program).exists();
        fits.then_some((build, marker))
    }

    /// Waits for exclusive use. Another holder is told of once.
    pub(crate) async fn lock(&self, plugin: &str, on_event: Listener<'_>) -> Result<Held, EnvError> {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.lock);
        let mut file = open.map_err(|source| failed("open", &self.lock, source))?;
        let since = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed("lock", &self.lock, source)),
                Err(TryLockError::WouldBlock) => {}
            }
            let pid = fs::read_to_string(&self.lock).ok().and_then(|text| text.trim().parse().ok());
            if since.elapsed() >= LOCK_WAIT_MAX {
                return Err(EnvError::Locked { plugin: plugin.to_owned(), pid });
            }
            if !told {
                told = true;
                on_event(EnvEvent::Waiting { pid });
            }
            tokio::time::sleep(LOCK_RETRY).await;
        }
        // The number is only for people and messages; the lock itself is the kernel's.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Held { _file: Arc::new(file) })
    }

    /// An empty folder for a new build. Builds that nobody uses are removed first.
    pub(crate) async fn new_build(&self, held: &Held) -> Result<PathBuf, EnvError> {
        let slot = self.clone();
        blocking(held, &self.folder, move || slot.new_build_now()).await
    }

    fn new_build_now(&self) -> Result<PathBuf, EnvError> {
        fs::create_dir_all(&self.folder).map_err(|source| failed("create", &self.folder, source))?;
        self.sweep();
        let random = uuid::Uuid::now_v7().simple().to_string();
        let build = self.folder.join(random.get(20..).unwrap_or(&random));
        fs::create_dir(&build).map_err(|source| failed("create", &build, source))?;
        Ok(build)
    }

    /// Makes `build` the current one: marker to disk, then one rename of the pointer.
    pub(crate) async fn switch(&self, held: &Held, build: &Path, marker: &Marker) -> Result<(), EnvError> {
        let (slot, build, marker) = (self.clone(), build.to_owned(), marker.clone());
        blocking(held, &self.folder, move || slot.switch_now(&build, &marker)).await
    }

    /// Removes a build that came to nothing. Whatever stays behind is swept by the next build.
    pub(crate) async fn discard(&self, held: &Held, build: &Path) {
        let folder = build.to_owned();
        let removed = blocking(held, &self.folder, move || {
            fs::remove_dir_all(&folder).map_err(|source| failed("remove", &folder, source))
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "cannot remove a failed build");
        }
    }

    fn switch_now(&self, build: &Path, marker: &Marker) -> Result<(), EnvError> {
        write_marker(build, marker).map_err(|source| failed("write", &build.join(MARKER), source))?;
        sync_all_below(build).map_err(|source| failed("write", build, source))?;
        let name = build.file_name().unwrap_or_default();
        let pointer = self.folder.join(format!("{CURRENT}.new"));
        let _ = fs::remove_file(&pointer);
        let current = self.folder.join(CURRENT);
        std::os::unix::fs::symlink(name, &pointer)
            .and_then(|()| fs::rename(&pointer, &current))
            .and_then(|()| File::open(&self.folder)?.sync_all())
            .map_err(|source| failed("switch", &current, source))
    }

    /// Removes every build but the current one. A build replaced in the meantime may still be running a
    /// worker; it goes when the next one is built. What cannot be removed now is tried again then.
    fn sweep(&self) {
        let current = fs::read_link(self.folder.join(CURRENT)).ok();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = PathBuf::from(entry.file_name());
            if Some(&name) == current.as_ref() || name.as_os_str() == CURRENT {
                continue;
            }
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                Ok(_) | Err(_) => fs::remove_file(entry.path()),
            };
            if let Err(error) = removed {
                tracing::warn!(path = %entry.path().display(), %error, "cannot remove an old build");
            }
        }
    }
}

/// Runs slow file work beside the event loop. The lock goes along: if the caller is dropped meanwhile,
/// nobody else may touch the slot until the work is done.
async fn blocking<T: Send + 'static>(
    held: &Held,
    folder: &Path,
    work: impl FnOnce() -> Result<T, EnvError> + Send + 'static,
) -> Result<T, EnvError> {
    let held = held.clone();
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(held);
        result
    });
    done.await.unwrap_or_else(|lost| Err(failed("use", folder, io::Error::other(lost))))
}

fn read_marker(build: &Path) -> Option<Marker> {
    let mut text = String::new();
    File::open(build.join(MARKER)).ok()?.take(MARKER_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_marker(build: &Path, marker: &Marker) -> io::Result<()> {
    let mut file = File::create(build.join(MARKER))?;
    file.write_all(&serde_json::to_vec_pretty(marker)?)?;
    file.sync_all()
}

/// Puts every file of the build on the disk, so that after a power cut a marker means what it says.
#[cfg(target_os = "linux")]
fn sync_all_below(build: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(build)?).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn sync_all_below(build: &Path) -> io::Result<()> {
    File::open(build)?.sync_all()
}

pub(crate) fn failed(doing: &'static str, path: &Path, source: io::Error) -> EnvError {
    EnvError::Io { doing, path: path.to_owned(), source }
}
