//! The one thread that writes: gathers what waits, makes one transaction of it, waits for the disk once.
//!
//! Owns the connection that writes. A commit that does not fit fails alone; a disk that fails, fails all of the
//! group and all that follows in the same epoch, so that nothing overtakes what was refused.

use crate::error::StoreError;
use crate::limits::{COMMIT_QUEUE, GROUP_MAX};
use crate::op::{Committed, Op, apply};
use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use tokio::sync::{mpsc, oneshot};

type Answer = Result<Committed, StoreError>;

struct Commit {
    epoch: u64,
    ops: Arc<[Op]>,
    reply: Option<oneshot::Sender<Answer>>,
}

impl Commit {
    fn answer(mut self, answer: Answer) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(answer);
        }
    }

    fn refuse(&mut self, error: &StoreError) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

/// The way to the thread. Cheap to clone; the thread ends with the last clone, after what waits is written.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Commit>,
    _thread: Arc<Joined>,
}

/// Waits for the thread, so that a store that was dropped is closed.
#[derive(Debug)]
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, commits) = mpsc::channel(COMMIT_QUEUE);
        let thread = Builder::new().name("store".to_owned()).spawn(move || run(connection, commits));
        let thread = thread.map_err(|e| StoreError::Other(e.to_string()))?;
        Ok(Self { queue, _thread: Arc::new(Joined(Some(thread))) })
    }

    pub(crate) fn enqueue(&self, epoch: u64, ops: Arc<[Op]>) -> impl Future<Output = Answer> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.queue.try_send(Commit { epoch, ops, reply: Some(reply) }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        });
        async move {
            sent?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        }
    }
}

fn run(mut connection: Connection, mut commits: mpsc::Receiver<Commit>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    // The last failure of the disk, and the first epoch that is not refused because of it.
    let mut refused: Option<(StoreError, u64)> = None;
    while commits.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        group.retain_mut(|commit| match &refused {
            Some((error, epoch)) if commit.epoch < *epoch => {
                commit.refuse(error);
                false
            }
            _ => true,
        });
        match write(&mut connection, &group) {
            Ok(answers) => {
                for (commit, answer) in group.drain(..).zip(answers) {
                    commit.answer(answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, commits = group.len(), "nothing was written");
                let epoch = group.iter().map(|commit| commit.epoch).max().unwrap_or(0);
                group.drain(..).for_each(|mut commit| commit.refuse(&error));
                refused = Some((error, epoch.saturating_add(1)));
            }
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database was not closed in order");
    }
}

/// One transaction for the whole group; each commit in a savepoint of its own.
fn write(connection: &mut Connection, group: &[Commit]) -> Result<Vec<Answer>, StoreError> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(group.len());
    for commit in group {
        let savepoint = transaction.savepoint()?;
        match apply(&savepoint, &commit.ops) {
            Ok(committed) => {
                savepoint.commit()?;
                answers.push(Ok(committed));
            }
            Err(error @ StoreError::Conflict(_)) => {
                drop(savepoint);
                answers.push(Err(error));
            }
            // The disk's trouble is everybody's.
            Err(error) => return Err(error),
        }
    }
    transaction.commit()?;
    Ok(answers)
}
