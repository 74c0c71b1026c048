//! Random numbers that a seed repeats: `splitmix64`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A stream of numbers.
#[derive(Debug)]
pub(crate) struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of one round: rounds do not depend on each other, so each can be repeated alone.
    pub(crate) fn of_round(seed: u64, round: u32) -> Self {
        let mut random = Self(seed ^ u64::from(round).wrapping_mul(GOLDEN));
        random.next();
        random
    }

    /// A stream of its own for somebody who draws at the same time as others.
    pub(crate) fn branch(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in so many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time below `end`.
    pub(crate) fn within(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(end.as_micros()).unwrap_or(u64::MAX)))
    }

    /// One of them, as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, of: &[(u64, T)]) -> Option<T> {
        let mut left = self.below(of.iter().map(|(weight, _)| weight).sum());
        let found = of.iter().find(|(weight, _)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        found.map(|(_, one)| *one)
    }
}

/// A seed that differs from run to run.
pub(crate) fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() % 100_000 * 1000 + u64::from(now.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_weights_are_kept() {
        let draw = |seed| {
            let mut random = Random::of_round(seed, 3);
            let mut branch = random.branch();
            (0..1000).map(|_| branch.weighted(&[(1, 'a'), (0, 'b'), (3, 'c')]).unwrap()).collect::<String>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let count = |one| draw(7).matches(one).count();
        assert_eq!(count('b'), 0);
        assert!((150..350).contains(&count('a')), "{}", count('a'));
    }
}
