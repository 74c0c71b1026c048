//! Model files: whether each is there, whole, and what its name says.
//!
//! Owns the order of looking and the limits on it. Files are opened and their first bytes read on threads
//! that may hang (a network disk that is gone), never on the runtime. No model is ever loaded.

mod digest;
mod facts;
mod format;
mod judge;

use self::facts::Facts;
use super::limits::{LOOKS_MAX, MODEL_LIMIT};
use super::subject::Subject;
use super::{Missing, Need};
use hardpoint_model::manifest::Model;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A look that hangs keeps its place, so that a disk that is gone costs [`LOOKS_MAX`] threads at most.
static LOOKS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(LOOKS_MAX)));

/// Should a look ever end in a panic.
const LOOK_FAILED: &str = "the look at it failed";

/// What is missing among the plugin's models, in the order of the manifest.
pub(super) async fn missing(subject: &Subject<'_>) -> Vec<Missing> {
    let models = &subject.manifest.needs.models;
    // All at once: a disk that hangs is waited for once, however many models lie on it.
    let mut looks = JoinSet::new();
    for (index, model) in models.iter().enumerate() {
        let path = subject.dir.join(&model.path);
        looks.spawn(async move { (index, look(path).await) });
    }
    let mut looked = BTreeMap::new();
    while let Some(look) = looks.join_next().await {
        looked.extend(look);
    }
    let mut missing = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let fault = match looked.get(&index).unwrap_or(&Err(LOOK_FAILED.to_owned())) {
            Ok(facts) => match judge::fault(model, facts) {
                None => check_digest(model, subject.dir.join(&model.path), facts).await,
                fault => fault,
            },
            Err(why) => Some((why.clone(), "check the disk that {path} lies on".to_owned())),
        };
        missing.extend(fault.map(|(why, remedy)| said(subject, model, &why, &remedy)));
    }
    missing
}

/// Opens the file and reads its first bytes, within the limit.
async fn look(path: PathBuf) -> Result<Facts, String> {
    let looked = async {
        let place = Arc::clone(&LOOKS).acquire_owned().await.ok();
        let look = tokio::task::spawn_blocking(move || {
            let facts = Facts::of(&path);
            drop(place);
            facts
        });
        look.await.map_err(|_| LOOK_FAILED.to_owned())
    };
    match tokio::time::timeout(MODEL_LIMIT, looked).await {
        Ok(facts) => facts,
        Err(_) => Err(format!("it could not be opened and read within {} s", MODEL_LIMIT.as_secs())),
    }
}

async fn check_digest(model: &Model, path: PathBuf, facts: &Facts) -> Option<judge::Fault> {
    let expected = model.sha256.as_ref()?;
    let digest = digest::of(path, facts.identity()?).await;
    judge::digest_fault(expected, &digest)
}

fn said(subject: &Subject<'_>, model: &Model, why: &str, remedy: &str) -> Missing {
    let at = subject.dir.join(&model.path);
    let hint = remedy.replace("{path}", &at.display().to_string());
    Missing { need: Need::Model, what: format!("Model file: {} ({why})", model.path), hint }
}
