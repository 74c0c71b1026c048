//! What stages brought: on disk before anybody hears of it, and in memory while the next stage may want it.
//!
//! Owns the folder of large binary data and the memory that passes it on. A file is written before the stage is told
//! to be over, so that it is there after any death of the host; one that nobody knows of is removed at the next start.

use super::fold::{Document, Known};
use super::limits::{OUTPUTS_KEPT_BYTES_MAX, RESULT_BYTES_MAX};
use super::{fold, values};
use hardpoint_model::job::JobId;
use hardpoint_model::{Category, JobError};
use hardpoint_store::{Form, KeptBlob, Output, Store, StoreError};
use hardpoint_wire::{Blob, Payload};
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the files lie, below the data folder.
const FOLDER: &str = "outputs";

/// All outputs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outputs {
    folder: Arc<Path>,
    store: Store,
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
    input: Option<Document>,
    outputs: HashMap<u32, Payload>,
    bytes: u64,
}

impl Kept {
    /// The place for so much more of a job, if there is one.
    fn place(&mut self, job: JobId, bytes: u64) -> Option<&mut OfJob> {
        if self.bytes + bytes > OUTPUTS_KEPT_BYTES_MAX {
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
        let known = store.output_files().await?;
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
        let bytes = binary(&payload) + values::size(&payload.value) as u64;
        let blobs = if payload.blobs.iter().any(|blob| matches!(blob, Blob::Shared(_))) {
            let (folder, blobs) = (Arc::clone(&self.folder), payload.blobs.clone());
            let write = move || write(&folder, &format!("{job}-{stage}-{attempt}"), &blobs);
            let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other);
            written.and_then(|written| written).map_err(|e| not_kept(&e))?
        } else {
            inline(&payload.blobs).map_err(|e| not_kept(&e))?
        };
        let value = payload.value.clone();
        self.remember(job, stage, payload, bytes);
        Ok(Output { value, form: Form::Wire, blobs, bytes })
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

    /// What is known before a stage of a run of a pipeline begins; `stages`: how many came before it.
    pub(crate) async fn known(&self, job: JobId, stages: u32) -> Result<Known, StoreError> {
        let mut outputs = Vec::new();
        for stage in 0..stages {
            outputs.push(self.payload(job, stage).await?);
        }
        Ok(Known { input: self.input(job).await?, outputs })
    }

    /// What a run was given.
    async fn input(&self, job: JobId) -> Result<Document, StoreError> {
        if let Some(input) = self.with(|kept| kept.by_job.get(&job)?.input.clone()) {
            return Ok(input);
        }
        let found = self.store.pipeline_of(job).await?;
        let input = found.map(|(_, input)| input).unwrap_or_default();
        fold::literal(&input).map_err(|e| StoreError::Corrupt(e.message))
    }

    /// The next stages of a run want its input, too; until [`Outputs::forget`].
    pub(super) fn remember_input(&self, job: JobId, input: &Document) {
        let bytes = |value: &Payload| values::size(&value.value) as u64 + binary(value);
        self.with(|kept| {
            if kept.by_job.get(&job).is_some_and(|of_job| of_job.input.is_some()) {
                return;
            }
            if let Some(of_job) = kept.place(job, input.values().map(bytes).sum()) {
                of_job.input = Some(input.clone());
            }
        });
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
        let link = |(number, old): (usize, String)| {
            let new = format!("{to}-r-{number}");
            fs::hard_link(self.folder.join(&old), self.folder.join(&new))?;
            Ok((old, new))
        };
        names.into_iter().enumerate().map(link).collect()
    }

    fn remember(&self, job: JobId, stage: u32, payload: Payload, bytes: u64) {
        self.with(|kept| {
            if let Some(of_job) = kept.place(job, bytes) {
                of_job.outputs.insert(stage, payload);
            }
        });
    }

    fn remembered(&self, job: JobId, stage: u32) -> Option<Payload> {
        self.with(|kept| kept.by_job.get(&job)?.outputs.get(&stage).cloned())
    }

    /// The lock is held for a look into a table, and never across an await.
    fn with<T>(&self, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        use_it(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn binary(payload: &Payload) -> u64 {
    payload.blobs.iter().map(Blob::len).sum()
}

/// Large ones into files, small ones as they are. Not synced: they outlive the host, and the next sync of the file
/// system is soon.
fn write(folder: &Path, prefix: &str, blobs: &[Blob]) -> io::Result<Vec<KeptBlob>> {
    let one = |(number, blob): (usize, &Blob)| match blob {
        Blob::Inline(bytes) => Ok(KeptBlob::Inline(bytes.to_vec())),
        Blob::Shared(shared) => {
            let name = format!("{prefix}-{number}");
            let path = folder.join(&name);
            let written = File::create(&path).and_then(|file| shared.write_to(&file));
            written.inspect_err(|_| drop(fs::remove_file(&path)))?;
            Ok(KeptBlob::File { name, length: blob.len() })
        }
    };
    blobs.iter().enumerate().map(one).collect()
}

fn inline(blobs: &[Blob]) -> io::Result<Vec<KeptBlob>> {
    blobs.iter().map(|blob| Ok(KeptBlob::Inline(blob.to_bytes()?.to_vec()))).collect()
}

fn read(folder: &Path, output: Output) -> io::Result<Payload> {
    let value = match output.form {
        Form::Document => return values::arguments(output.value).map_err(|e| io::Error::other(e.message)),
        Form::Wire => output.value,
    };
    let blobs = output.blobs.into_iter().map(|blob| match blob {
        KeptBlob::Inline(bytes) => Blob::new(bytes.into()),
        KeptBlob::File { name, length } => {
            let bytes = fs::read(folder.join(&name))?;
            if bytes.len() as u64 != length {
                return Err(io::Error::other(format!(
                    "{name} has {} bytes instead of {length}",
                    bytes.len()
                )));
            }
            Blob::new(bytes.into())
        }
    });
    Ok(Payload { value, blobs: blobs.collect::<io::Result<_>>()? })
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
