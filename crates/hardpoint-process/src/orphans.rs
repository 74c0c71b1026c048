//! Processes of trees whose shim is gone: found by what they were marked with, and ended.
//!
//! Owns how they are known: by a variable in the environment they were started with or in their title, or, where there are control
//! groups, by the group they cannot leave. Without groups one that clears its environment as well as detaching itself
//! is known by nothing. Must not know whose trees they are.

use crate::limits::{KILL_REPORT_TIMEOUT, SWEEP_PAUSE};
use crate::memory::Group;
use crate::proc::{self, Process};
use rustix::process::Signal as Unix;
use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

/// The environment variable that marks every process of a tree.
pub(crate) const TREE_VARIABLE: &str = "HARDPOINT_TREE";

/// What may be left of these trees, each with its group.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    trees: BTreeMap<String, Option<Group>>,
}

impl Orphans {
    pub(crate) fn add(&mut self, tree: String, group: Option<Group>) {
        self.trees.insert(tree, group);
    }

    /// Kills until none is left; whether that is so. Blocks, for a bounded time.
    pub(crate) fn end(&self) -> bool {
        let start = Instant::now();
        while !self.trees.is_empty() && self.kill() > 0 {
            if start.elapsed() > KILL_REPORT_TIMEOUT {
                return false;
            }
            thread::sleep(SWEEP_PAUSE);
        }
        true
    }

    /// How many were there.
    fn kill(&self) -> usize {
        let grouped: Vec<Process> = self.groups().flat_map(Group::processes).collect();
        let mine = |process: Process| grouped.contains(&process) || self.has_marked(process);
        let still = |process: Process| self.groups().any(|group| group.processes().contains(&process));
        let found = proc::all().into_iter().filter(|process| mine(*process) && process.is_alive());
        found
            .filter(|process| process.signal_if(Unix::KILL, || self.has_marked(*process) || still(*process)))
            .count()
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.trees.values().flatten()
    }

    fn has_marked(&self, process: Process) -> bool {
        process.mark(TREE_VARIABLE).is_some_and(|tree| self.trees.contains_key(&tree))
    }
}
