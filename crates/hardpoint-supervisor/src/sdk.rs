//! The Python package that this binary carries, and where it lies on disk.
//!
//! Owns unpacking it once per version into the data folder, so that a plugin's own environment needs
//! nothing installed. Must not know how a worker is started with it.

use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../python/"]
#[include = "hardpoint/*.py"]
#[include = "hardpoint/**/*.py"]
#[include = "hardpoint/py.typed"]
#[include = "hardpoint_worker.py"]
struct Package;

/// The unpacked package.
#[derive(Debug, Clone)]
pub struct Sdk {
    dir: PathBuf,
}

/// The package could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("the worker's Python package could not be written to {}", path.display())]
pub struct SdkError {
    path: PathBuf,
    source: io::Error,
}

impl Sdk {
    /// Unpacks the package below `data_dir` unless it is there. Two hosts may do this at once.
    pub fn unpack(data_dir: &Path) -> Result<Self, SdkError> {
        let dir = data_dir.join("sdk").join(content_hash());
        if !dir.is_dir() {
            unpack_beside(&dir).map_err(|source| SdkError { path: dir.clone(), source })?;
        }
        Ok(Self { dir })
    }

    /// The folder that holds the package `hardpoint`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The script that lists the plugins of other hosts in an environment.
    pub fn listing_script(&self) -> PathBuf {
        self.dir.join("hardpoint/_worker/dialects/find.py")
    }

    /// The script that a worker runs.
    pub(crate) fn worker_script(&self) -> PathBuf {
        self.dir.join("hardpoint_worker.py")
    }
}

fn content_hash() -> String {
    let mut files: Vec<_> = Package::iter().collect();
    files.sort();
    let mut hash = Sha256::new();
    for name in files {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(Package::get(&name).map(|file| file.data).unwrap_or_default());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let (start, _) = digest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    format!("{:016x}", u64::from_be_bytes(*start))
}

/// Writes next to the place and switches with one rename; whoever comes second keeps what is there.
fn unpack_beside(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(parent)?;
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    for name in Package::iter() {
        let path = beside.path().join(name.as_ref());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, Package::get(&name).map(|file| file.data).unwrap_or_default())?;
    }
    match fs::rename(beside.path(), dir) {
        Err(_) if dir.is_dir() => Ok(()),
        Ok(()) => {
            let _ = beside.keep();
            Ok(())
        }
        Err(e) => Err(e),
    }
}
