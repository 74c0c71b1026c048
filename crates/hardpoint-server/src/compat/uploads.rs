//! Videos that clients have handed in: files in the data folder, as long as a job may want them.
//!
//! Owns the folder, the names in it and their removal. Must not know forms or plugins.

use crate::app::App;
use crate::disk;
use crate::limits::{UPLOADS_KEPT, UPLOADS_LOOK, UPLOADS_MAX};
use crate::problem::{Code, Problem};
use hardpoint_store::StoreError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tokio::fs::{self, File, OpenOptions};
use uuid::Uuid;

const FOLDER: &str = "uploads";
/// What is whole, and what is on its way.
const WHOLE: &str = "mp4";
const PART: &str = "part";

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) file: File,
    part: PathBuf,
    whole: PathBuf,
}

/// The folder of a host, under the name that it has from everywhere.
fn folder(app: &App) -> io::Result<PathBuf> {
    Ok(std::path::absolute(&app.settings.data_dir)?.join(FOLDER))
}

/// A new file.
pub(super) async fn begin(app: &App) -> Result<Upload, Problem> {
    let folder = folder(app).map_err(|e| not_written(&e))?;
    let name = Uuid::now_v7().to_string();
    let [whole, part] = [WHOLE, PART].map(|kind| folder.join(format!("{name}.{kind}")));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).await.map_err(|e| not_written(&e))?;
    if count(&folder).await.map_err(|e| not_written(&e))? >= UPLOADS_MAX {
        let detail = format!("{UPLOADS_MAX} videos are kept, and there is no room for another one");
        return Err(Problem::new(Code::QueueFull, detail).hint("try again when some jobs are over"));
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).await;
    Ok(Upload { file: file.map_err(|e| not_written(&e))?, part, whole })
}

impl Upload {
    /// It is whole, and lasts: its path.
    pub(super) async fn end(self) -> Result<PathBuf, Problem> {
        let Self { file, part, whole } = self;
        let kept = async {
            file.sync_all().await?;
            fs::rename(&part, &whole).await
        };
        kept.await.map_err(|e| not_written(&e))?;
        Ok(whole)
    }

    /// It is not wanted.
    pub(super) async fn forget(self) {
        drop(self.file);
        let _ = fs::remove_file(&self.part).await;
    }
}

/// The name that a client knows a file by.
pub(super) fn name_of(path: &Path) -> String {
    format!("{FOLDER}/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// The file of this name. What is no name of an upload is the name of nothing, whatever else is on the disk.
pub(super) async fn find(app: &App, name: &str) -> Option<PathBuf> {
    let bare = name.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let id = bare.strip_suffix(WHOLE)?.strip_suffix('.')?;
    Uuid::parse_str(id).ok().filter(|parsed| parsed.to_string() == id)?;
    let path = folder(app).ok()?.join(bare);
    fs::metadata(&path).await.ok().filter(std::fs::Metadata::is_file).map(|_| path)
}

async fn count(folder: &Path) -> io::Result<usize> {
    let (mut entries, mut count) = (fs::read_dir(folder).await?, 0);
    while entries.next_entry().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Lets go of what no job can want any more, for ever.
pub(crate) async fn sweep(app: &App) {
    loop {
        if let Err(error) = sweep_once(app).await {
            tracing::warn!("uploads that nobody wants could not be removed: {error}");
        }
        tokio::time::sleep(UPLOADS_LOOK).await;
    }
}

async fn sweep_once(app: &App) -> Result<(), StoreError> {
    let Ok(mut entries) = fs::read_dir(folder(app).unwrap_or_default()).await else { return Ok(()) };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let path = entry.path();
        let old = entry.metadata().await.is_ok_and(|found| is_old(found.modified()));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if old && !app.jobs.is_given(name).await? {
            let _ = fs::remove_file(&path).await;
        }
    }
    Ok(())
}

fn is_old(written: io::Result<SystemTime>) -> bool {
    written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > UPLOADS_KEPT))
}

pub(super) fn not_written(error: &io::Error) -> Problem {
    disk::refused(&match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly(error.to_string())
        }
        _ => StoreError::Disk(error.to_string()),
    })
}
