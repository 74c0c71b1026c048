//! What jobs were given: kept before they are accepted, and read when they run.
//!
//! Owns the way between a payload and its row and files. Must not know what becomes of the job.

use super::fold::{Document, Known};
use super::limits::{GIVEN_KEPT_BYTES_MAX, INPUT_BYTES_MAX, OUTPUTS_KEPT_BYTES_MAX};
use super::outputs::{Outputs, size};
use super::submission::SubmitError;
use super::{files, values};
use hardpoint_model::job::JobId;
use hardpoint_store::{Given, GivenKept, StoreError};
use hardpoint_wire::Payload;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;

/// The key of what stands for binary data where it is only told of.
const LENGTH_KEY: &str = "$bytes_length";

/// Arguments for people: a document in which binary data has only its length.
pub(super) fn shown(args: Payload) -> Map<String, Value> {
    let Ok(document) = args.into_document(&mut |blob| Ok::<_, Infallible>(json!({LENGTH_KEY: blob.len()})));
    match document {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

impl Outputs {
    /// Puts what a job is given where it lasts; the rest is for the database.
    pub(super) async fn keep_given(
        &self,
        job: JobId,
        given: Payload,
        synced: bool,
    ) -> Result<Given, SubmitError> {
        if !values::fits(&given.value, INPUT_BYTES_MAX) {
            return Err(SubmitError::TooLarge);
        }
        let written = self.written(given.blobs.clone(), format!("{job}-i"), synced).await;
        let blobs = written.map_err(|e| not_written(&e))?;
        // What is text alone is read quickly, and many jobs may wait.
        if !blobs.is_empty() {
            self.remember_given(job, &given, GIVEN_KEPT_BYTES_MAX);
        }
        let bytes = size(&given);
        Ok(Given { value: given.value, blobs, bytes })
    }

    /// What a job of one tool is called with.
    pub(super) async fn args(&self, job: JobId) -> Result<Payload, StoreError> {
        self.given(job).await?.ok_or_else(|| gone(job))
    }

    /// What is known before a stage of a run begins; `stages`: how many came before it.
    pub(super) async fn known(&self, job: JobId, stages: u32) -> Result<Known, StoreError> {
        let outputs = self.outputs(job, stages).await?;
        let given = self.given(job).await?.ok_or_else(|| gone(job))?;
        // The next stages want it, too.
        self.remember_given(job, &given, OUTPUTS_KEPT_BYTES_MAX);
        Ok(Known { input: named(given), outputs })
    }

    /// What a run was given, if it is still kept.
    pub(super) async fn input(&self, job: JobId) -> Result<Option<Document>, StoreError> {
        Ok(self.given(job).await?.map(named))
    }

    async fn given(&self, job: JobId) -> Result<Option<Payload>, StoreError> {
        if let Some(given) = self.remembered_given(job) {
            return Ok(Some(given));
        }
        let Given { value, blobs, .. } = match self.store.given(job).await? {
            None | Some(GivenKept::Forgotten) => return Ok(None),
            Some(GivenKept::Arguments(args)) => {
                let args = values::arguments(Value::Object(args));
                return args.map(Some).map_err(|e| StoreError::Corrupt(e.message));
            }
            Some(GivenKept::Whole(given)) => given,
        };
        let folder = Arc::clone(&self.folder);
        let read = tokio::task::spawn_blocking(move || files::read(&folder, blobs)).await;
        let blobs = read.unwrap_or_else(|e| Err(io::Error::other(e)));
        let blobs =
            blobs.map_err(|e| StoreError::Other(format!("what job {job} was given cannot be read: {e}")))?;
        Ok(Some(Payload { value, blobs }))
    }
}

fn named(given: Payload) -> Document {
    given.into_fields().unwrap_or_default().into_iter().collect()
}

fn gone(job: JobId) -> StoreError {
    StoreError::Conflict(format!("what job {job} was given is not kept any more"))
}

/// The folder of the files is on the disk of the database.
fn not_written(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly(error.to_string())
        }
        _ => StoreError::Disk(error.to_string()),
    }
}
