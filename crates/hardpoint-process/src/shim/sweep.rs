//! Signalling the shim's whole tree.
//!
//! Owns the walk from the shim down. A descendant that escapes its parent becomes the shim's own child,
//! so repeating the walk finds it.

use crate::control::Signal;
use crate::proc::{Process, tree_of};
use rustix::process::Signal as Unix;
use std::collections::HashSet;

/// Sends one signal to everything below the shim; returns how many were there.
pub(super) fn signal_tree(signal: Signal) -> usize {
    let unix = match signal {
        Signal::Terminate => Unix::TERM,
        Signal::Kill => Unix::KILL,
    };
    tree_of(Process::own())
        .into_iter()
        .filter(|(child, parent)| child.signal_as_child_of(*parent, unix))
        .count()
}

/// Repeated killing, and a count of whom it met.
#[derive(Default)]
pub(super) struct Sweep {
    met: HashSet<Process>,
}

impl Sweep {
    pub(super) fn kill(&mut self) {
        for (child, parent) in tree_of(Process::own()) {
            if child.is_alive() && child.signal_as_child_of(parent, Unix::KILL) {
                self.met.insert(child);
            }
        }
    }

    pub(super) fn killed(&self) -> u32 {
        u32::try_from(self.met.len()).unwrap_or(u32::MAX)
    }
}
