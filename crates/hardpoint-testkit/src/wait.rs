//! Waiting for a condition instead of sleeping.

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks: short against what is waited for, long against looking.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// Whether the condition came true within the time.
pub fn soon(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() >= deadline {
            return false;
        }
        thread::sleep(LOOK_PAUSE);
    }
}

/// Waits for a condition.
///
/// # Panics
/// When it has not come true within the time; `what` is part of the message.
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, condition: impl FnMut() -> bool) {
    let came = soon(deadline, condition);
    assert!(came, "waited {deadline:?} in vain until {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_is_looked_at_even_without_time() {
        assert!(soon(Duration::ZERO, || true));
        assert!(!soon(Duration::ZERO, || false));
        let mut looks = 0;
        wait_until("three looks", Duration::from_secs(5), || {
            looks += 1;
            looks == 3
        });
    }
}
