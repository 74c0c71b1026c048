//! How many requests a token may make.
//!
//! Owns one bucket per token: it fills at the allowed rate, and holds two seconds of it.

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// The limit, if there is one.
#[derive(Debug)]
pub(crate) struct Rate(Option<DefaultKeyedRateLimiter<Arc<str>>>);

impl Rate {
    pub(crate) fn new(requests_per_second: Option<u32>) -> Self {
        let limit = requests_per_second.and_then(NonZeroU32::new);
        Self(
            limit.map(|limit| {
                RateLimiter::keyed(Quota::per_second(limit).allow_burst(limit.saturating_mul(TWO)))
            }),
        )
    }

    /// One more request of this token; `Err` says when the next one is let through.
    pub(crate) fn take(&self, token: &Arc<str>) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(token).map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets the tokens whose buckets are full.
    pub(crate) fn forget_idle(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
        }
    }
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_two_seconds_passes_and_one_token_does_not_use_up_anothers() {
        let rate = Rate::new(Some(5));
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let passed = (0..10).filter(|_| rate.take(&a).is_ok()).count();
        assert_eq!(passed, 10);
        let wait = rate.take(&a).unwrap_err();
        assert!(wait <= Duration::from_millis(200), "{wait:?}");
        assert!(rate.take(&b).is_ok());
        let unlimited = Rate::new(None);
        assert!((0..1000).all(|_| unlimited.take(&a).is_ok()));
    }
}
