//! The lines of one instance in memory: the last ones for whoever looks, and those that are not on disk yet.
//!
//! Owns their bounds. A flood costs no more than these: what is pushed out of both is counted.

use crate::limits::{
    LOST_RUNS_MAX, OUTPUT_BYTES_MAX, OUTPUT_LINES_MAX, UNWRITTEN_BYTES_MAX, UNWRITTEN_LINES_MAX,
};
use hardpoint_model::log::{AttemptId, LogLine};
use std::collections::VecDeque;
use std::sync::Arc;

/// Lines that were pushed out before they were written, one after the other and all of the same attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The life that wrote them.
    pub incarnation: u64,
    /// The attempt that they belong to.
    pub attempt: Option<AttemptId>,
    /// How many.
    pub count: u64,
    /// The number of the last of them.
    pub last: u64,
}

/// Lines on their way to the disk.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Lines before the others that are lost.
    pub lost: Vec<Lost>,
    /// In their order.
    pub lines: Vec<Arc<LogLine>>,
}

impl Taken {
    /// What of it comes after the line of this number.
    #[must_use]
    pub fn after(mut self, number: u64) -> Self {
        self.lost.retain(|lost| lost.last > number);
        self.lines.retain(|line| line.number > number);
        self
    }
}

/// A queue of lines within bounds.
#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    ring: Queue,
    /// The number of the last line that is no longer in the ring; 0 when there was none.
    pub(super) gone: u64,
    pub(super) lines_dropped: u64,
    pub(super) bytes_cut: u64,
    unwritten: Queue,
    lost: Vec<Lost>,
    /// What somebody is writing right now.
    writing: Vec<Arc<LogLine>>,
    /// The number of the last line that is on disk, or that never will be.
    pub(super) written: u64,
}

impl Queue {
    fn push(&mut self, line: Arc<LogLine>) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
    }

    /// The oldest line, when there are more than these.
    fn pop_above(&mut self, lines_max: usize, bytes_max: usize) -> Option<Arc<LogLine>> {
        if self.bytes <= bytes_max && self.lines.len() <= lines_max {
            return None;
        }
        let line = self.lines.pop_front()?;
        self.bytes -= line.text.len();
        Some(line)
    }
}

impl Kept {
    /// What comes after the line of this number, which is on disk.
    pub(super) fn beginning_after(number: u64) -> Self {
        Self { gone: number, written: number, ..Self::default() }
    }

    /// `to_write`: somebody takes them to the disk.
    pub(super) fn push(&mut self, line: &Arc<LogLine>, to_write: bool) {
        self.ring.push(Arc::clone(line));
        while let Some(old) = self.ring.pop_above(OUTPUT_LINES_MAX, OUTPUT_BYTES_MAX) {
            self.gone = old.number;
            self.lines_dropped += 1;
        }
        if to_write {
            self.unwritten.push(Arc::clone(line));
            self.lose_what_is_too_much();
        }
    }

    /// The last lines go on being kept: they tell how a flood ended.
    fn lose_what_is_too_much(&mut self) {
        while let Some(old) = self.unwritten.pop_above(UNWRITTEN_LINES_MAX, UNWRITTEN_BYTES_MAX) {
            self.lose(Lost::of(&old));
        }
    }

    fn lose(&mut self, lost: Lost) {
        let full = self.lost.len() >= LOST_RUNS_MAX;
        match self.lost.last_mut() {
            Some(run) if run.is_of_the_same(&lost) => run.add(&lost),
            Some(run) if full => {
                run.attempt = None;
                run.add(&lost);
            }
            Some(_) | None => self.lost.push(lost),
        }
    }

    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.lines.is_empty() || !self.lost.is_empty()
    }

    pub(super) fn take(&mut self) -> Taken {
        let queue = std::mem::take(&mut self.unwritten);
        self.writing = queue.lines.into();
        Taken { lost: std::mem::take(&mut self.lost), lines: self.writing.clone() }
    }

    /// What was taken last is on disk up to the line of this number; as much of the rest as there is room for
    /// waits again.
    pub(super) fn wrote(&mut self, last: u64, rest: Taken) {
        self.writing.clear();
        self.written = self.written.max(last);
        let since = std::mem::take(&mut self.unwritten);
        let lost_since = std::mem::replace(&mut self.lost, rest.lost);
        for line in rest.lines {
            // Where there was no room for what came since, there is none for what came before.
            if lost_since.is_empty() {
                self.unwritten.push(line);
            } else {
                self.lose(Lost::of(&line));
            }
        }
        for lost in lost_since {
            self.lose(lost);
        }
        for line in since.lines {
            self.unwritten.push(line);
        }
        self.lose_what_is_too_much();
    }

    /// The last lines, oldest first.
    pub(super) fn tail(&self, count: usize) -> Vec<Arc<LogLine>> {
        self.ring.lines.iter().skip(self.ring.lines.len().saturating_sub(count)).cloned().collect()
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Arc<LogLine>> {
        self.ring.lines.iter().rev()
    }

    /// The lines after this number, as far as they are still in the ring.
    pub(super) fn after(&self, number: u64) -> Vec<Arc<LogLine>> {
        let first = self.ring.lines.partition_point(|line| line.number <= number);
        self.ring.lines.iter().skip(first).cloned().collect()
    }

    /// The lines that are not on disk yet, oldest first.
    pub(super) fn not_on_disk(&self) -> Vec<Arc<LogLine>> {
        self.writing.iter().chain(&self.unwritten.lines).cloned().collect()
    }
}

impl Lost {
    fn of(line: &LogLine) -> Self {
        Self { incarnation: line.incarnation, attempt: line.attempt_id(), count: 1, last: line.number }
    }

    fn is_of_the_same(&self, other: &Self) -> bool {
        (self.attempt, self.incarnation) == (other.attempt, other.incarnation)
    }

    fn add(&mut self, later: &Self) {
        self.count += later.count;
        self.last = later.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::job::JobId;
    use hardpoint_model::log::LogSource;
    use jiff::Timestamp;

    fn line(number: u64, job_id: Option<JobId>, bytes: usize) -> Arc<LogLine> {
        Arc::new(LogLine {
            number,
            at: Timestamp::UNIX_EPOCH,
            plugin: String::new(),
            instance: String::new(),
            incarnation: 1,
            source: LogSource::Stdout,
            level: None,
            logger: None,
            job_id,
            stage: job_id.map(|_| 0),
            attempt: job_id.map(|_| 1),
            text: "x".repeat(bytes),
        })
    }

    fn numbers(lines: &[Arc<LogLine>]) -> Vec<u64> {
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn what_is_pushed_out_before_it_is_written_is_counted_for_the_attempt_that_it_belongs_to() {
        let (first, second) = (JobId::now(), JobId::now());
        let mut kept = Kept::default();
        let max = UNWRITTEN_LINES_MAX as u64;
        for number in 1..=max + 30 {
            let job = match number {
                ..=10 => Some(first),
                11..=15 => None,
                _ => Some(second),
            };
            kept.push(&line(number, job, 1), true);
        }
        let taken = kept.take();
        let lost: Vec<_> =
            taken.lost.iter().map(|lost| (lost.attempt.map(|id| id.job_id), lost.count, lost.last)).collect();
        assert_eq!(lost, [(Some(first), 10, 10), (None, 5, 15), (Some(second), 15, 30)]);
        assert_eq!(numbers(&taken.lines), (31..=max + 30).collect::<Vec<_>>());
        assert_eq!(numbers(&kept.not_on_disk()), numbers(&taken.lines), "also while they are being written");
        kept.wrote(max + 30, taken.after(max + 30));
        assert_eq!((kept.written, kept.not_on_disk().len(), kept.has_unwritten()), (max + 30, 0, false));
    }

    #[test]
    fn what_cannot_be_written_waits_again_before_what_came_since() {
        let mut kept = Kept::default();
        (1..=3).for_each(|number| kept.push(&line(number, None, 1), true));
        let taken = kept.take();
        kept.push(&line(4, None, 1), true);
        kept.wrote(1, taken.after(1));
        assert_eq!((numbers(&kept.not_on_disk()), kept.written), (vec![2, 3, 4], 1));
        let taken = kept.take();
        let max = UNWRITTEN_LINES_MAX as u64;
        (5..=max + 10).for_each(|number| kept.push(&line(number, None, 1), true));
        kept.wrote(0, taken);
        let taken = kept.take();
        assert_eq!(taken.lost.iter().map(|lost| (lost.count, lost.last)).collect::<Vec<_>>(), [(9, 10)]);
        assert_eq!(numbers(&taken.lines).first(), Some(&11));
    }

    #[test]
    fn more_runs_than_can_be_told_apart_are_told_together() {
        let mut kept = Kept::default();
        for number in 1..=UNWRITTEN_LINES_MAX as u64 + 100 {
            kept.push(&line(number, Some(JobId::now()), 1), true);
        }
        let taken = kept.take();
        assert_eq!(taken.lost.len(), LOST_RUNS_MAX);
        assert_eq!(taken.lost.iter().map(|lost| lost.count).sum::<u64>(), 100);
        assert_eq!(taken.lost.last().map(|lost| (lost.attempt, lost.last)), Some((None, 100)));
    }

    #[test]
    fn the_bounds_are_also_of_bytes() {
        let mut kept = Kept::default();
        for number in 1..=1000 {
            kept.push(&line(number, None, 8 << 10), true);
        }
        assert!(kept.ring.bytes <= OUTPUT_BYTES_MAX && kept.unwritten.bytes <= UNWRITTEN_BYTES_MAX);
        assert_eq!(kept.gone, kept.lines_dropped);
        assert_eq!(kept.after(kept.gone).len(), kept.ring.lines.len());
        assert_eq!(kept.after(999).len(), 1);
    }
}
