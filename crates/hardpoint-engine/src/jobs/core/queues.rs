//! Who waits for which instance, in which order, and how many run there.
//!
//! Owns the order of starts: priority, then submission. Must not know what a job is. Whatever is asked costs as much as
//! there are instances, never as much as there are jobs.

use crate::jobs::{Down, Place, Places};
use hardpoint_model::job::JobId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The place of a job among those that wait: priority, then order of submission.
pub(super) type Key = (Reverse<i32>, u64, JobId);

#[derive(Debug, Default)]
pub(super) struct Queues {
    by_instance: BTreeMap<String, Queue>,
    /// Not to be started before.
    delayed: BTreeSet<(Instant, JobId)>,
    running: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeSet<Key>,
    running: u32,
}

/// The next to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) job: JobId,
    pub(super) incarnation: u64,
}

/// What the instances that somebody waits for said in one turn.
pub(super) struct Turn {
    /// With a free place: who is first there, and how many places are left.
    open: Vec<(Key, String, Place)>,
    /// Who is first where, and what keeps all of them from being started, if something does.
    pub(super) heads: Vec<(JobId, Option<Down>)>,
}

impl Queues {
    pub(super) fn push(&mut self, instance: &str, key: Key) {
        match self.by_instance.get_mut(instance) {
            Some(queue) => drop(queue.waiting.insert(key)),
            None => {
                let queue = Queue { waiting: BTreeSet::from([key]), running: 0 };
                self.by_instance.insert(instance.to_owned(), queue);
            }
        }
    }

    pub(super) fn remove(&mut self, instance: &str, key: &Key) {
        if let Some(queue) = self.by_instance.get_mut(instance) {
            queue.waiting.remove(key);
        }
        self.forget(instance);
    }

    pub(super) fn delay(&mut self, until: Instant, job: JobId) {
        self.delayed.insert((until, job));
    }

    pub(super) fn undelay(&mut self, until: Instant, job: JobId) {
        self.delayed.remove(&(until, job));
    }

    /// A job whose delay is over.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<JobId> {
        let (until, _) = self.delayed.first()?;
        if *until > now { None } else { self.delayed.pop_first().map(|(_, job)| job) }
    }

    /// Whether somebody waits for this instance, or runs there.
    pub(super) fn concern(&self, instance: &str) -> bool {
        self.by_instance.contains_key(instance)
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// A stage of an instance is over, or was not begun.
    pub(super) fn give_back(&mut self, instance: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some(queue) = self.by_instance.get_mut(instance) {
            queue.running = queue.running.saturating_sub(1);
        }
        self.forget(instance);
    }

    /// Asks every instance that somebody waits for how many it can take.
    pub(super) fn turn(&self, places: &Places<'_>) -> Turn {
        let mut turn = Turn { open: Vec::new(), heads: Vec::new() };
        for (instance, queue) in &self.by_instance {
            let Some(head) = queue.waiting.first() else { continue };
            match places(instance) {
                Ok(place) => {
                    turn.heads.push((head.2, None));
                    let free = place.stages_max.saturating_sub(queue.running);
                    if free > 0 {
                        turn.open.push((*head, instance.clone(), Place { stages_max: free, ..place }));
                    }
                }
                Err(down) => turn.heads.push((head.2, Some(down))),
            }
        }
        turn
    }

    /// Takes the next one that can be started out of its queue, and a place for it.
    pub(super) fn next(&mut self, turn: &mut Turn) -> Option<Start> {
        let (index, _) = turn.open.iter().enumerate().min_by_key(|(_, (key, _, _))| *key)?;
        let (key, instance, place) = turn.open.get_mut(index)?;
        let start = Start { job: key.2, incarnation: place.incarnation };
        let queue = self.by_instance.get_mut(instance)?;
        queue.waiting.remove(key);
        queue.running += 1;
        self.running += 1;
        place.stages_max -= 1;
        match queue.waiting.first() {
            Some(next) if place.stages_max > 0 => *key = *next,
            Some(_) | None => drop(turn.open.swap_remove(index)),
        }
        Some(start)
    }

    fn forget(&mut self, instance: &str) {
        let idle = |queue: &Queue| queue.waiting.is_empty() && queue.running == 0;
        if self.by_instance.get(instance).is_some_and(idle) {
            self.by_instance.remove(instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(priority: i32, position: u64) -> Key {
        (Reverse(priority), position, JobId::now())
    }

    proptest! {
        #[test]
        fn the_first_that_can_start_starts_and_no_instance_is_overrun(
            jobs in prop::collection::vec((0..3_usize, -2..3), 1..40),
            places in prop::collection::vec(0..4_u32, 3),
        ) {
            let names = ["a", "b", "c"];
            let mut queues = Queues::default();
            let mut all: Vec<(Key, usize)> = Vec::new();
            for (position, (instance, priority)) in (0_u64..).zip(&jobs) {
                let key = key(*priority, position);
                queues.push(names[*instance], key);
                all.push((key, *instance));
            }
            all.sort_unstable();
            // By hand: in order, while the instance has a place.
            let mut used = [0; 3];
            let expected: Vec<JobId> = all.iter().filter(|(_, at)| {
                let starts = used[*at] < places[*at];
                used[*at] += u32::from(starts);
                starts
            }).map(|(key, _)| key.2).collect();
            let asked = |name: &str| {
                let at = names.iter().position(|known| *known == name).unwrap();
                if places[at] == 0 { return Err(Down { reason: "down".to_owned(), until: crate::jobs::Until::Soon }); }
                Ok(Place { stages_max: places[at], incarnation: 1 })
            };
            let mut turn = queues.turn(&asked);
            let mut started = Vec::new();
            while let Some(start) = queues.next(&mut turn) {
                started.push(start.job);
            }
            prop_assert_eq!(&started, &expected);
            prop_assert_eq!(queues.running(), expected.len());
            prop_assert_eq!(queues.turn(&asked).open.len(), 0, "a place was left");
        }
    }

    #[test]
    fn a_delay_is_over_at_its_time_and_not_before() {
        let (mut queues, now, job) = (Queues::default(), Instant::now(), JobId::now());
        let until = now + std::time::Duration::from_secs(1);
        queues.delay(until, job);
        assert_eq!(queues.pop_due(now), None);
        assert_eq!(queues.pop_due(until), Some(job));
        assert_eq!(queues.pop_due(until), None);
    }
}
