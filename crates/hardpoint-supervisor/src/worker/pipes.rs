//! The ends of a call's channels that the actor holds.
//!
//! Owns delivery without waiting: a slow caller loses notes (counted) and never stream items, because the
//! worker may only send as many as there is room for.

use super::command::{Note, Reply};
use super::tally::UsageTally;
use hardpoint_wire::Payload;
use tokio::sync::{mpsc, oneshot};

/// Where a call's events and its answer go.
#[derive(Debug)]
pub(crate) struct CallPipes {
    pub(super) reply: oneshot::Sender<Reply>,
    pub(super) notes: Option<mpsc::Sender<Note>>,
    pub(super) items: ItemPipe,
    pub(super) usage: UsageTally,
}

#[derive(Debug)]
pub(crate) enum ItemPipe {
    /// The caller takes items.
    Open(mpsc::Sender<Payload>),
    /// The caller only wants the end: items are let go.
    Sink,
}

/// What became of an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Taken,
    /// Nobody wanted it: the worker gets its credit back at once.
    LetGo,
    /// There was no room: the worker sent more than it had credit for.
    Overrun,
}

impl CallPipes {
    pub(super) fn plain(reply: oneshot::Sender<Reply>) -> Self {
        Self { reply, notes: None, items: ItemPipe::Sink, usage: UsageTally::default() }
    }

    /// Whether the caller has gone away.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    pub(super) fn note(&self, note: Note) {
        if let Note::Usage(usage) = &note {
            self.usage.add(&usage.usage);
        }
        if let Some(notes) = &self.notes {
            // A full queue drops the note: the caller is slower than the plugin is talkative.
            let _ = notes.try_send(note);
        }
    }

    pub(super) fn item(&self, item: Payload) -> Delivery {
        match &self.items {
            ItemPipe::Sink => Delivery::LetGo,
            ItemPipe::Open(items) => match items.try_send(item) {
                Ok(()) => Delivery::Taken,
                Err(mpsc::error::TrySendError::Closed(_)) => Delivery::LetGo,
                Err(mpsc::error::TrySendError::Full(_)) => Delivery::Overrun,
            },
        }
    }
}
