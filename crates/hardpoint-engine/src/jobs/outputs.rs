//! What stages brought: on disk before anybody hears of it, and in memory while the next stage may want it.
//!
//! Owns the folder of large binary data and the memory that passes it on, of what jobs were given, too. A file is written
//! before anybody is told of what is in it, so that it is there after any death of the host; one that nobody knows of is
//! removed at the next start.

use super::limits::{OUTPUTS_KEPT_BYTES_MAX, RESULT_BYTES_MAX};
use super::{files, values};
use hardpoint_model::job::JobId;
use hardpoint_model::{Category, JobError};
use hardpoint_store::{Form, KeptBlob, Output, Store, StoreError};
use hardpoint_wire::{Blob, Payload};
use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the files lie, below the data folder.
const FOLDER: &str = "outputs";

/// All outputs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outputs {
    pub(super) folder: Arc<Path>,
    pub(super) store: Store,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    by_job: HashMap<JobId, OfJob>,
    bytes: u64,
}

/// What is in memory of one job.
#[derive(Debug, Default)]
struct OfJob {
    given: Option<Payload>,
    outputs: HashMap<u32, Payload>,
    bytes: u64,
}

impl Kept {
    /// The place for so much more of a job, if there is one: all of it together may take `max`.
    fn place(&mut self, job: JobId, bytes: u64, max: u64) -> Option<&mut OfJob> {
        if self.bytes + bytes > max {
            return None;
        }
        self.bytes += bytes;
        let of_job = self.by_job.entry(job).or_default();
        of_job.bytes += bytes;
        Some(of_job)
    }
}

impl Outputs {
    /// Opens the folder, and removes what no job knows of: its host died before it was told.
    pub(crate) async fn open(store: Store, data_dir: &Path) -> Result<Self, StoreError> {
        let folder: PathBuf = data_dir.join(FOLDER);
        let known = store.files().await?;
        let swept = folder.clone();
        let sweep = move || -> io::Result<()> {
            // What jobs bring is nobody else's to read.
            DirBuilder::new().recursive(true).mode(0o700).create(&swept)?;
            for entry in fs::read_dir(&swept)?.flatten() {
                if entry.file_name().to_str().is_none_or(|name| !known.contains(name)) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(sweep).await {
            tracing::warn!(%error, folder = %folder.display(), "the folder of outputs cannot be looked after");
        }
        Ok(Self { folder: folder.into(), store, kept: Arc::default() })
    }

    /// Puts what a try of a stage brought where it lasts; the rest is for the database.
    pub(super) async fn keep(
        &self,
        payload: Payload,
        (job, stage, attempt): (JobId, u32, u32),
    ) -> Result<Output, JobError> {
        if !values::fits(&payload.value, RESULT_BYTES_MAX) {
            return Err(too_large());
        }
        let bytes = size(&payload);
        let prefix = format!("{job}-{stage}-{attempt}");
        // Not synced: they outlive the host, and the next sync of the file system is soon.
        let blobs = self.written(payload.blobs.clone(), prefix, false).await.map_err(|e| not_kept(&e))?;
        let value = payload.value.clone();
        self.remember(job, stage, payload, bytes);
        Ok(Output { value, form: Form::Wire, blobs, bytes })
    }

    /// Large ones in files, small ones as they are.
    pub(super) async fn written(
        &self,
        blobs: Vec<Blob>,
        prefix: String,
        synced: bool,
    ) -> io::Result<Vec<KeptBlob>> {
        if !blobs.iter().any(|blob| matches!(blob, Blob::Shared(_))) {
            return files::inline(&blobs);
        }
        let folder = Arc::clone(&self.folder);
        let write = move || files::write(&folder, &prefix, &blobs, synced);
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }

    /// What a stage brought, if it has and it is still kept.
    pub(crate) async fn payload(&self, job: JobId, stage: u32) -> Result<Option<Payload>, StoreError> {
        if let Some(payload) = self.remembered(job, stage) {
            return Ok(Some(payload));
        }
        let Some(output) = self.store.output(job, stage).await? else { return Ok(None) };
        let folder = Arc::clone(&self.folder);
        let read = tokio::task::spawn_blocking(move || read(&folder, output)).await;
        read.unwrap_or_else(|e| Err(io::Error::other(e)))
            .map(Some)
            .map_err(|e| StoreError::Other(format!("an output of job {job} cannot be read: {e}")))
    }

    /// What the first stages of a run brought.
    pub(crate) async fn outputs(&self, job: JobId, stages: u32) -> Result<Vec<Option<Payload>>, StoreError> {
        let mut outputs = Vec::new();
        for stage in 0..stages {
            outputs.push(self.payload(job, stage).await?);
        }
        Ok(outputs)
    }

    /// Nobody will pass on any of a job's outputs any more.
    pub(super) fn forget(&self, job: JobId) {
        self.with(|kept| {
            let gone = kept.by_job.remove(&job).unwrap_or_default();
            kept.bytes = kept.bytes.saturating_sub(gone.bytes);
        });
    }

    /// Removes the files of a job.
    pub(super) fn remove_files(&self, names: &[String]) {
        for name in names {
            let _ = fs::remove_file(self.folder.join(name));
        }
    }

    /// The same files for another job: they end when the last of both does not need them any more.
    pub(super) fn link(&self, names: Vec<String>, to: JobId) -> io::Result<Vec<(String, String)>> {
        let renamed = |(number, old): (usize, String)| (old, format!("{to}-r-{number}"));
        let names: Vec<(String, String)> = names.into_iter().enumerate().map(renamed).collect();
        let link =
            |(old, new): &(String, String)| fs::hard_link(self.folder.join(old), self.folder.join(new));
        if let Err(error) = names.iter().try_for_each(link) {
            self.remove_files(&names.into_iter().map(|(_, new)| new).collect::<Vec<_>>());
            return Err(error);
        }
        Ok(names)
    }

    fn remember(&self, job: JobId, stage: u32, payload: Payload, bytes: u64) {
        self.with(|kept| {
            if let Some(of_job) = kept.place(job, bytes, OUTPUTS_KEPT_BYTES_MAX) {
                of_job.outputs.insert(stage, payload);
            }
        });
    }

    /// Until [`Outputs::forget`], if there is a place below `max`.
    pub(super) fn remember_given(&self, job: JobId, given: &Payload, max: u64) {
        self.with(|kept| {
            if kept.by_job.get(&job).is_some_and(|of_job| of_job.given.is_some()) {
                return;
            }
            if let Some(of_job) = kept.place(job, size(given), max) {
                of_job.given = Some(given.clone());
            }
        });
    }

    pub(super) fn remembered_given(&self, job: JobId) -> Option<Payload> {
        self.with(|kept| kept.by_job.get(&job)?.given.clone())
    }

    fn remembered(&self, job: JobId, stage: u32) -> Option<Payload> {
        self.with(|kept| kept.by_job.get(&job)?.outputs.get(&stage).cloned())
    }

    /// The lock is held for a look into a table, and never across an await.
    fn with<T>(&self, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        use_it(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The size of a payload.
pub(super) fn size(payload: &Payload) -> u64 {
    payload.blobs.iter().map(Blob::len).sum::<u64>() + values::size(&payload.value) as u64
}

fn read(folder: &Path, output: Output) -> io::Result<Payload> {
    let value = match output.form {
        Form::Document => return values::arguments(output.value).map_err(|e| io::Error::other(e.message)),
        Form::Wire => output.value,
    };
    Ok(Payload { value, blobs: files::read(folder, output.blobs)? })
}

fn too_large() -> JobError {
    let message = format!(
        "its result is larger than the {} MB of JSON that are kept: let it return `bytes`, or the path of a file",
        RESULT_BYTES_MAX >> 20
    );
    JobError::new(Category::Fatal, "ResultTooLarge", message)
}

fn not_kept(error: &io::Error) -> JobError {
    let message = format!("what it returned cannot be kept: {error}; free some space in the data folder");
    JobError::new(Category::Resource, "OutputNotKept", message)
}
