//! What one worker says, and to which attempt of which job each line belongs.
//!
//! Owns the way from a call to its job. A line belongs to a job when the worker says so: with the call's number in
//! a log message, or with a mark in its output. Of a worker that writes no marks it does when the job's call is the
//! only one that it has, or the last one that it had.

use super::captured::{Captured, Said};
use super::mask::Mask;
use crate::limits::CALLS_KNOWN_MAX;
use hardpoint_model::log::{AttemptId, LogLevel, LogSource};
use hardpoint_wire::limits::LOG_LINE_BYTES_MAX;
use hardpoint_wire::{JobRef, Log};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The lines of one worker. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    captured: Captured,
    incarnation: u64,
    mask: Mask,
    /// Whether the worker writes marks; known before it is given a call.
    marks: AtomicBool,
    calls: Mutex<Calls>,
}

/// The calls that belong to jobs.
#[derive(Debug, Default)]
struct Calls {
    attempts: BTreeMap<u64, AttemptId>,
    /// The attempt whose call is the only one in flight, or was until no other came.
    only: Option<AttemptId>,
}

impl Voice {
    pub(crate) fn new(captured: Captured, incarnation: u64, mask: Mask) -> Self {
        let (marks, calls) = (AtomicBool::new(false), Mutex::default());
        Self { shared: Arc::new(Shared { captured, incarnation, mask, marks, calls }) }
    }

    pub(crate) fn captured(&self) -> &Captured {
        &self.shared.captured
    }

    /// It is known whether the worker writes marks.
    pub(crate) fn set_marks(&self, marks: bool) {
        self.shared.marks.store(marks, Ordering::Release);
    }

    pub(crate) fn has_marks(&self) -> bool {
        self.shared.marks.load(Ordering::Acquire)
    }

    /// A call of a job is about to be sent to the worker.
    pub(crate) fn begin(&self, call: u64, job: &JobRef) {
        // A job without the id of one is none that anybody could ask for.
        let Some(attempt) = job.attempt_id() else { return };
        let mut calls = self.calls();
        calls.attempts.insert(call, attempt);
        if calls.attempts.len() > CALLS_KNOWN_MAX {
            calls.attempts.pop_first();
        }
    }

    /// The only call in flight, if there is just one.
    pub(crate) fn set_only(&self, call: Option<u64>) {
        let mut calls = self.calls();
        calls.only = call.and_then(|call| calls.attempts.get(&call).copied());
    }

    /// A message of the worker's log.
    pub(crate) fn log(&self, log: &Log) {
        let attempt = match log.id {
            Some(call) => self.attempt_of(call),
            None => self.attempt_of_unmarked(),
        };
        let kept = log.message.get(..log.message.floor_char_boundary(LOG_LINE_BYTES_MAX));
        let text = kept.unwrap_or_default().to_owned();
        let cut = (log.message.len() - text.len()) as u64;
        let logger = Some(self.shared.mask.text(log.logger.clone())).filter(|name| !name.is_empty());
        if log.dropped > 0 {
            let dropped = log.dropped;
            self.captured().count_dropped(dropped);
            let text = format!("{dropped} messages were dropped by its worker: they came too fast");
            self.captured().say(self.shared.incarnation, attempt, LogLevel::Warning, &text);
        }
        let said = self.said(Timestamp::now(), LogSource::Plugin, attempt, (text, cut));
        let said = Said { logger, level: Some(log.level), ..said };
        self.captured().push([said]);
    }

    /// A line to be, and how many bytes of it were cut off.
    pub(super) fn said(
        &self,
        at: Timestamp,
        source: LogSource,
        attempt: Option<AttemptId>,
        (text, cut): (String, u64),
    ) -> Said {
        let incarnation = self.shared.incarnation;
        let mask = &self.shared.mask;
        let text = if cut > 0 { mask.cut(text) } else { mask.text(text) };
        Said { at, incarnation, source, level: None, logger: None, attempt, text, cut }
    }

    /// To whom what a worker without marks says belongs.
    pub(super) fn attempt_of_unmarked(&self) -> Option<AttemptId> {
        if self.has_marks() { None } else { self.calls().only }
    }

    pub(super) fn attempt_of(&self, call: u64) -> Option<AttemptId> {
        self.calls().attempts.get(&call).copied()
    }

    /// Held for the time of a look and never across an await.
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
