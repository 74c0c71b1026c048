//! Random numbers that a seed repeats: `splitmix64`.

use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of numbers.
pub(crate) struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of one round: rounds do not depend on each other, so each can be repeated alone.
    pub(crate) fn of_round(seed: u64, round: u32) -> Self {
        let mut random = Self(seed ^ u64::from(round).wrapping_mul(GOLDEN));
        random.next();
        random
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
}

/// A seed that differs from run to run.
pub(crate) fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() % 100_000 * 1000 + u64::from(now.subsec_millis())
}
