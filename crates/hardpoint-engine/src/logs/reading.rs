//! Reading logs: what is kept, then what comes, each line once and in its order.
//!
//! Owns the place of one reader in the logs of one or more instances. A reader that is too slow for the memory reads
//! from the disk until it has caught up: it never slows anybody.

use super::Logs;
use super::files::folder;
use super::filter::{LogFilter, Sieve};
use super::limits::PAGE_LINES;
use super::read::{Scan, last, shorten};
use futures_util::future::select_all;
use hardpoint_model::log::LogLine;
use hardpoint_supervisor::Captured;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first line of a higher number.
    After(u64),
    /// With so many of the last lines that are wanted.
    Last(usize),
}

/// One reader.
#[derive(Debug)]
pub struct LogReading {
    logs: Logs,
    sieve: Arc<Sieve>,
    sources: Vec<Source>,
    /// How many of the last lines are still to be found.
    last: Option<usize>,
}

/// The log of one instance.
#[derive(Debug)]
struct Source {
    /// `None`: this host knows no such instance; there may be files of it.
    captured: Option<Captured>,
    /// The number of its last line.
    newest: Option<watch::Receiver<u64>>,
    folder: Option<PathBuf>,
    /// Lines up to this number were looked at.
    seen: u64,
    /// Found, and not yet given out.
    ready: VecDeque<Arc<LogLine>>,
    walk: Option<Walk>,
}

/// A walk through the files, up to the line of this number.
#[derive(Debug)]
enum Walk {
    Wanted { until: u64 },
    Begun(Scan),
}

impl LogReading {
    pub(super) fn new(logs: Logs, instances: &[String], filter: LogFilter, start: Start) -> Self {
        let (seen, last) = match start {
            Start::After(number) => (number, None),
            Start::Last(count) => (0, Some(count)),
        };
        let source = |instance: &String| {
            let captured = logs.known(instance);
            let newest = captured.as_ref().map(Captured::last);
            let folder = logs.shared.dir.as_ref().map(|dir| folder(dir, instance));
            let walk = captured.is_none().then_some(Walk::Wanted { until: u64::MAX });
            Source { captured, newest, folder, seen, ready: VecDeque::new(), walk }
        };
        let sources = instances.iter().map(source).collect();
        Self { logs, sieve: Arc::new(Sieve::new(filter)), sources, last }
    }

    /// Waits until something was said since [`LogReading::next_kept`] was last asked; for ever, if nothing more is
    /// said. Safe to drop half-way.
    pub async fn changed(&mut self) {
        let newest = self.sources.iter_mut().filter_map(|source| source.newest.as_mut());
        let changes: Vec<_> = newest.map(|newest| Box::pin(newest.changed())).collect();
        if changes.is_empty() {
            std::future::pending::<()>().await;
        }
        let _ = select_all(changes).await;
    }

    /// The next lines that were said already; none, when there are no more now. Dropped half-way it may lose some.
    pub async fn next_kept(&mut self) -> Vec<Arc<LogLine>> {
        // First, so that what is said meanwhile is a change.
        for newest in self.sources.iter_mut().filter_map(|source| source.newest.as_mut()) {
            newest.mark_unchanged();
        }
        if let Some(count) = self.last.take() {
            self.find_last(count).await;
        }
        let mut lines = Vec::new();
        for source in &mut self.sources {
            source.fill(&self.logs, &self.sieve).await;
        }
        while lines.len() < PAGE_LINES {
            let heads = self.sources.iter_mut().filter(|source| !source.ready.is_empty());
            let number = |source: &&mut Source| source.ready.front().map(|line| line.number);
            let Some(first) = heads.min_by_key(number) else { break };
            lines.extend(first.ready.pop_front());
            if first.ready.is_empty() {
                // Another one may have a line that comes before those which this one still has to find.
                first.fill(&self.logs, &self.sieve).await;
            }
        }
        lines
    }

    async fn find_last(&mut self, count: usize) {
        for source in &mut self.sources {
            source.find_last(count, &self.logs, &self.sieve).await;
        }
        // The last of all of them: what is too much is the oldest.
        let mut numbers: Vec<u64> = Vec::new();
        for source in &self.sources {
            numbers.extend(source.ready.iter().map(|line| line.number));
        }
        numbers.sort_unstable();
        let surplus = numbers.len().saturating_sub(count);
        let Some(first) = numbers.get(surplus) else { return };
        for source in &mut self.sources {
            source.ready.retain(|line| line.number >= *first);
        }
    }
}

impl Source {
    /// Finds the next lines, unless some are ready or there are no more now.
    async fn fill(&mut self, logs: &Logs, sieve: &Arc<Sieve>) {
        while self.ready.is_empty() {
            if self.walk.is_some() {
                self.turn_page(logs, sieve).await;
            } else if !self.look_into_memory(sieve.filter()) {
                return;
            }
        }
    }

    /// Whether it is worth to go on.
    fn look_into_memory(&mut self, filter: &LogFilter) -> bool {
        let Some(captured) = &self.captured else { return false };
        let (lines, gone) = captured.after(self.seen);
        if gone <= self.seen || self.folder.is_none() {
            return self.take(lines, filter);
        }
        let (waiting, written) = captured.not_on_disk();
        if written > self.seen {
            self.walk = Some(Walk::Wanted { until: written });
            return true;
        }
        // What was pushed out of both is lost; its count follows when the disk takes it.
        let waiting = waiting.into_iter().filter(|line| line.number > self.seen).collect();
        self.take(waiting, filter);
        self.seen = self.seen.max(gone);
        true
    }

    /// Whether there was anything to look at.
    fn take(&mut self, lines: Vec<Arc<LogLine>>, filter: &LogFilter) -> bool {
        let Some(last) = lines.last() else { return false };
        self.seen = last.number;
        self.ready.extend(lines.into_iter().filter(|line| filter.has(line)));
        true
    }

    async fn turn_page(&mut self, logs: &Logs, sieve: &Arc<Sieve>) {
        let (Some(walk), Some(folder)) = (self.walk.take(), self.folder.clone()) else { return };
        let (sieve, seen) = (Arc::clone(sieve), self.seen);
        let until = match &walk {
            Walk::Wanted { until } => *until,
            Walk::Begun(scan) => scan.until(),
        };
        let turned = logs.aside(move || {
            let mut scan = match walk {
                Walk::Wanted { until } => Scan::open(&folder, seen, until),
                Walk::Begun(scan) => scan,
            };
            let page = scan.page(&sieve);
            (scan, page)
        });
        match turned.await {
            Some((scan, page)) if !page.ended => {
                self.ready.extend(page.lines);
                self.seen = scan.seen();
                self.walk = Some(Walk::Begun(scan));
            }
            ended => {
                self.ready.extend(ended.into_iter().flat_map(|(_, page)| page.lines));
                // Also where the disk has less than it was told: what it lost does not come back.
                self.seen = self.seen.max(until);
            }
        }
    }

    async fn find_last(&mut self, count: usize, logs: &Logs, sieve: &Arc<Sieve>) {
        let filter = sieve.filter();
        let (waiting, written) = match &self.captured {
            None => (Vec::new(), u64::MAX),
            Some(captured) => {
                let (lines, gone) = captured.after(0);
                let last = lines.last().map_or(0, |line| line.number);
                let mut wanted: VecDeque<_> = lines.into_iter().filter(|line| filter.has(line)).collect();
                if wanted.len() >= count || gone == 0 || self.folder.is_none() {
                    shorten(&mut wanted, count);
                    (self.ready, self.seen) = (wanted, last);
                    return;
                }
                captured.not_on_disk()
            }
        };
        self.walk = None;
        self.seen = waiting.last().map_or(written, |line| line.number);
        let waiting = waiting.into_iter().filter(|line| filter.has(line));
        if let Some(folder) = self.folder.clone() {
            let sieve = Arc::clone(sieve);
            self.ready = logs.aside(move || last(&folder, &sieve, count, written)).await.unwrap_or_default();
        }
        self.ready.extend(waiting);
        shorten(&mut self.ready, count);
    }
}
