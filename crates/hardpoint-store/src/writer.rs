//! The one thread that writes: gathers what waits, makes one transaction of it, waits for the disk once.
//!
//! Owns the connection that writes. A commit that does not fit fails alone; a disk that fails, fails all of the
//! group, and nothing of it is acknowledged.

use crate::error::StoreError;
use crate::limits::{COMMIT_QUEUE, GROUP_MAX};
use crate::op::{Committed, Op, apply};
use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use tokio::sync::{mpsc, oneshot};

type Answer = Result<Committed, StoreError>;

struct Commit {
    ops: Vec<Op>,
    reply: oneshot::Sender<Answer>,
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

    pub(crate) async fn commit(&self, ops: Vec<Op>) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Commit { ops, reply }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn run(mut connection: Connection, mut commits: mpsc::Receiver<Commit>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while commits.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let answers = match write(&mut connection, &group) {
            Ok(answers) => answers,
            Err(error) => {
                tracing::error!(%error, commits = group.len(), "nothing was written");
                group.iter().map(|_| Err(error.clone())).collect()
            }
        };
        for (commit, answer) in group.drain(..).zip(answers) {
            let _ = commit.reply.send(answer);
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
