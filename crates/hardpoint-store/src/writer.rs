//! The one thread that writes: gathers what waits, makes one transaction of it, waits for the disk once.
//!
//! Owns the connection that writes. A commit that does not fit fails alone; a disk that fails, fails all of the
//! group and all that follows in the same epoch, so that nothing overtakes what was refused. Events are let go after
//! the group with which that was asked for: it harms no commit.

use crate::counts::Changes;
use crate::error::StoreError;
use crate::limits::{COMMIT_QUEUE, GROUP_MAX};
use crate::op::{Committed, Op, apply};
use crate::prune::{self, Plan};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use tokio::sync::{mpsc, oneshot};

type Answer = Result<Committed, StoreError>;

struct Commit {
    /// Its place in an order of commits, if it has one.
    epoch: Option<u64>,
    ops: Arc<[Op]>,
    reply: Option<oneshot::Sender<Answer>>,
}

/// What waits for the thread.
enum Asked {
    /// They share one transaction, and so one wait for the disk.
    Commits(Vec<Commit>),
    Prune(Plan, oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<()>),
}

impl Commit {
    fn answer(&mut self, answer: Answer) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(answer);
        }
    }
}

/// The way to the thread. Cheap to clone; the thread ends with the last clone, after what waits is written.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Asked>,
    trouble: Trouble,
    last_event: Arc<AtomicU64>,
    _thread: Arc<Joined>,
}

/// Why the last transaction failed, while no other has gone well.
#[derive(Debug, Clone, Default)]
struct Trouble(Arc<Mutex<Option<StoreError>>>);

impl Trouble {
    fn get(&self) -> Option<StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, trouble: Option<StoreError>) -> Option<StoreError> {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), trouble)
    }
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
    pub(crate) fn start(connection: Connection, path: Arc<Path>) -> Result<Self, StoreError> {
        let (queue, asked) = mpsc::channel(COMMIT_QUEUE);
        let trouble = Trouble::default();
        let last_event = Arc::new(AtomicU64::new(u64::try_from(prune::last(&connection)?).unwrap_or(0)));
        let (told, troubled) = (Arc::clone(&last_event), trouble.clone());
        let mut thread = Thread { connection, path, refused: None, trouble: troubled, last_event: told };
        let thread = Builder::new().name("store".to_owned()).spawn(move || {
            let closed = thread.run(asked);
            if let Err((_, error)) = thread.connection.close() {
                tracing::warn!(%error, "the database was not closed in order");
            }
            if let Some(whom) = closed {
                let _ = whom.send(());
            }
        });
        let thread = thread.map_err(|e| StoreError::Other(e.to_string()))?;
        Ok(Self { queue, trouble, last_event, _thread: Arc::new(Joined(Some(thread))) })
    }

    /// One answer for each, in their order.
    pub(crate) fn enqueue(
        &self,
        commits: Vec<(Option<u64>, Arc<[Op]>)>,
    ) -> Vec<impl Future<Output = Answer> + Send + use<>> {
        let commits = commits.into_iter().map(|(epoch, ops)| {
            let (reply, answer) = oneshot::channel();
            (Commit { epoch, ops, reply: Some(reply) }, answer)
        });
        let (commits, answers): (Vec<_>, Vec<_>) = commits.unzip();
        let sent = self.send(Asked::Commits(commits));
        let answers = answers.into_iter().map(|answer| {
            let sent = sent.clone();
            async move {
                sent?;
                answer.await.unwrap_or(Err(StoreError::Closed))
            }
        });
        answers.collect()
    }

    pub(crate) async fn prune(&self, plan: Plan) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Asked::Prune(plan, reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(crate) fn last_event(&self) -> u64 {
        self.last_event.load(Ordering::Relaxed)
    }

    fn send(&self, asked: Asked) -> Result<(), StoreError> {
        self.queue.try_send(asked).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    /// Lets the thread write what waits, and end.
    pub(crate) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.queue.send(Asked::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }

    pub(crate) fn trouble(&self) -> Option<StoreError> {
        self.trouble.get()
    }
}

struct Thread {
    connection: Connection,
    path: Arc<Path>,
    /// The last failure of the disk, and the first epoch that is not refused because of it.
    refused: Option<(StoreError, u64)>,
    trouble: Trouble,
    last_event: Arc<AtomicU64>,
}

impl Thread {
    /// Runs until nobody can ask any more, or somebody closes; whom that one tells when it is done.
    fn run(&mut self, mut asked: mpsc::Receiver<Asked>) -> Option<oneshot::Sender<()>> {
        let mut waiting = Vec::with_capacity(GROUP_MAX);
        let mut closed = None;
        while closed.is_none() && asked.blocking_recv_many(&mut waiting, GROUP_MAX) > 0 {
            let (mut group, mut prunes) = (Vec::with_capacity(waiting.len()), Vec::new());
            for one in waiting.drain(..) {
                match one {
                    Asked::Commits(commits) if closed.is_none() => {
                        group.extend(commits.into_iter().filter_map(|commit| self.admit(commit)));
                    }
                    Asked::Prune(plan, reply) if closed.is_none() => prunes.push((plan, reply)),
                    // Dropped: whoever sent it learns that the store is closed.
                    Asked::Commits(_) | Asked::Prune(..) => {}
                    Asked::Close(whom) => closed = Some(whom),
                }
            }
            self.write_group(group);
            for (plan, reply) in prunes {
                let _ = reply.send(prune::apply(&mut self.connection, &plan));
            }
        }
        closed
    }

    /// A commit that is not behind what the disk refused.
    fn admit(&self, mut commit: Commit) -> Option<Commit> {
        match &self.refused {
            Some((error, first)) if commit.epoch.is_some_and(|epoch| epoch < *first) => {
                commit.answer(Err(error.clone()));
                None
            }
            _ => Some(commit),
        }
    }

    fn write_group(&mut self, group: Vec<Commit>) {
        if group.is_empty() {
            return;
        }
        match write(&mut self.connection, &group) {
            Ok(answers) => {
                if self.trouble.set(None).is_some() {
                    tracing::info!("the database is written to again");
                }
                tell_last(&answers, &self.last_event);
                for (mut commit, answer) in group.into_iter().zip(answers) {
                    commit.answer(answer);
                }
            }
            Err(error) => {
                let error = error.at(&self.path);
                // Whoever has to write tries again and again: one line for each new reason is enough.
                if self.trouble.set(Some(error.clone())).as_ref() != Some(&error) {
                    tracing::error!(%error, hint = error.hint(), commits = group.len(), "nothing was written");
                }
                if let Some(last) = group.iter().filter_map(|commit| commit.epoch).max() {
                    self.refused = Some((error.clone(), last.saturating_add(1)));
                }
                for mut commit in group {
                    commit.answer(Err(error.clone()));
                }
            }
        }
    }
}

/// Before anybody hears of an event its number is known.
fn tell_last(answers: &[Answer], last_event: &AtomicU64) {
    let events = answers.iter().flatten().flat_map(|committed| &committed.events);
    if let Some(last) = events.map(|event| event.number).max() {
        last_event.fetch_max(last, Ordering::Relaxed);
    }
}

/// One transaction for the whole group; each commit in a savepoint of its own.
fn write(connection: &mut Connection, group: &[Commit]) -> Result<Vec<Answer>, StoreError> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(group.len());
    let mut changes = Changes::default();
    for commit in group {
        let savepoint = transaction.savepoint()?;
        match apply(&savepoint, &commit.ops) {
            Ok((committed, its)) => {
                savepoint.commit()?;
                changes.add(its);
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
    changes.write(&transaction)?;
    transaction.commit()?;
    Ok(answers)
}
