//! Times of many repetitions, and what is said of them.
//!
//! Owns percentiles and the choice of a round. Must not know what was measured.

use std::time::Duration;

/// Every measurement is done this often; the round with the lowest median counts.
pub(crate) const ROUNDS: u32 = 3;

/// Single calls take microseconds, where the choice of a core by the kernel weighs most: more, shorter rounds.
pub(crate) const ROUNDS_OF_CALLS: u32 = 9;

/// How many repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Quick,
    Full,
}

impl Effort {
    /// `full` repetitions, or a fifth of them.
    pub(crate) fn times(self, full: u32) -> u32 {
        match self {
            Self::Quick => (full / 5).max(3),
            Self::Full => full,
        }
    }
}

/// The times of one round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    times: Vec<Duration>,
}

impl Samples {
    pub(crate) fn push(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(crate) fn median(&self) -> Duration {
        self.at_permille(500)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.at_permille(990)
    }

    pub(crate) fn into_times(self) -> Vec<Duration> {
        self.times
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// The smallest time that this share of all times does not exceed.
    fn at_permille(&self, share: usize) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * share).div_ceil(1000).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self { times: times.into_iter().collect() }
    }
}

/// The rounds of one thing.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    best: Samples,
}

impl Rounds {
    /// Keeps the round if it is the best so far: noise of the machine only ever adds time.
    pub(crate) fn keep(&mut self, round: Samples) {
        if self.best.len() == 0 || round.median() < self.best.median() {
            self.best = round;
        }
    }

    pub(crate) fn best(&self) -> &Samples {
        &self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ms(times: impl IntoIterator<Item = u64>) -> Samples {
        times.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let samples = of_ms((1..=200).rev());
        assert_eq!(samples.median(), Duration::from_millis(100));
        assert_eq!(samples.p99(), Duration::from_millis(198));
        assert_eq!(of_ms([7]).p99(), Duration::from_millis(7));
        assert_eq!(of_ms([]).p99(), Duration::ZERO);
    }

    #[test]
    fn the_round_with_the_lowest_median_counts_with_its_own_tail() {
        let mut rounds = Rounds::default();
        rounds.keep(of_ms([5, 5, 6]));
        rounds.keep(of_ms([1, 2, 9]));
        rounds.keep(of_ms([3, 3, 3]));
        assert_eq!(rounds.best().p99(), Duration::from_millis(9));
    }
}
