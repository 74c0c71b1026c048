//! Restarting a plugin that ended: policy, delays, limit.
//!
//! Owns the settings and the decision. Pure: ends and times go in, a delay or "no" comes out. Must not
//! know workers or clocks.

use crate::seconds::Seconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When an ended plugin is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never: FAILED stays until somebody restarts it.
    #[default]
    Never,
    /// When it failed.
    OnFailure,
    /// However it ended.
    Always,
    /// However it ended, unless somebody unloaded it; that is remembered when the host starts again.
    UnlessStopped,
}

/// Which failure of a call takes its plugin down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailOn {
    /// Only the loss of its worker: it died, hung past a deadline, or broke its memory limit.
    Crash,
    /// Also an exception of the category `fatal`.
    #[default]
    Fatal,
    /// Every exception.
    Any,
}

impl FailOn {
    /// Whether an exception of this category makes the plugin FAILED.
    pub fn includes(self, category: crate::Category) -> bool {
        match self {
            Self::Crash => false,
            Self::Fatal => category == crate::Category::Fatal,
            Self::Any => true,
        }
    }
}

/// How restarts are paced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Restart {
    /// When an ended plugin is started again by itself.
    pub policy: RestartPolicy,
    /// The wait before each attempt, in seconds; the last one is used for all that follow.
    #[schemars(length(min = 1, max = 64), extend("items" = {"type": "number", "minimum": 0, "maximum": 86400}))]
    pub delays_seconds: Vec<f64>,
    /// How many attempts in a row, before it stays FAILED.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts_max: u32,
    /// After this long without an end the attempts count from zero again, in seconds.
    pub healthy_seconds: Seconds,
}

impl Default for Restart {
    /// 0, 1, 2, 4, 8, 16, 30, 30 s; five attempts; counted anew after a minute of health.
    fn default() -> Self {
        Self {
            policy: RestartPolicy::default(),
            delays_seconds: vec![0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0],
            attempts_max: 5,
            healthy_seconds: Seconds::whole(60),
        }
    }
}

impl Restart {
    /// The wait before the attempt of this number, counted from 0.
    fn delay(&self, attempt: u32) -> Duration {
        let index = usize::try_from(attempt).unwrap_or(usize::MAX);
        let seconds = self.delays_seconds.get(index).or(self.delays_seconds.last()).copied().unwrap_or(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
    }
}

/// How an incarnation ended, as far as a policy cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It broke, or could not be started.
    Failed,
    /// Its worker exited by itself with code 0.
    Finished,
}

/// What follows an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is: the policy does not ask for more.
    Stay,
    /// It is started again after this wait.
    RestartAfter(Duration),
    /// It would be, but it was too often.
    CrashLoop {
        /// How many attempts there were.
        attempts: u32,
    },
}

/// The attempts in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    /// Since it was last healthy for long enough.
    pub count: u32,
}

impl Attempts {
    /// What follows an end. `healthy_for`: how long it was ready before it; `None` when it never was.
    pub fn next(self, settings: &Restart, ended: Ended, healthy_for: Option<Duration>) -> (Self, Verdict) {
        let recovered = healthy_for.is_some_and(|time| time >= settings.healthy_seconds.as_duration());
        let count = if recovered { 0 } else { self.count };
        let wanted = match (settings.policy, ended) {
            (RestartPolicy::Never, Ended::Failed | Ended::Finished)
            | (RestartPolicy::OnFailure, Ended::Finished) => false,
            (RestartPolicy::OnFailure, Ended::Failed)
            | (RestartPolicy::Always | RestartPolicy::UnlessStopped, Ended::Failed | Ended::Finished) => true,
        };
        if !wanted {
            return (Self { count }, Verdict::Stay);
        }
        if count >= settings.attempts_max {
            return (Self { count }, Verdict::CrashLoop { attempts: count });
        }
        (Self { count: count.saturating_add(1) }, Verdict::RestartAfter(settings.delay(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVERY: [RestartPolicy; 4] =
        [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always, RestartPolicy::UnlessStopped];

    fn with(policy: RestartPolicy) -> Restart {
        Restart { policy, ..Restart::default() }
    }

    #[test]
    fn a_crash_loop_waits_longer_each_time_and_ends_after_five_attempts() {
        let settings = with(RestartPolicy::OnFailure);
        let mut attempts = Attempts::default();
        let mut waits = Vec::new();
        let loops = loop {
            let (next, verdict) = attempts.next(&settings, Ended::Failed, None);
            attempts = next;
            match verdict {
                Verdict::RestartAfter(wait) => waits.push(wait.as_secs()),
                Verdict::CrashLoop { attempts } => break attempts,
                Verdict::Stay => panic!("it gave up without a reason"),
            }
        };
        assert_eq!((waits, loops), (vec![0, 1, 2, 4, 8], 5));
    }

    #[test]
    fn the_delays_go_on_to_thirty_seconds_when_more_attempts_are_allowed() {
        let settings = Restart { attempts_max: 10, ..with(RestartPolicy::Always) };
        let waits: Vec<u64> = (0..10).map(|attempt| settings.delay(attempt).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30, 30, 30]);
    }

    #[test]
    fn a_minute_of_health_clears_the_attempts() {
        let settings = with(RestartPolicy::OnFailure);
        let worn_out = Attempts { count: 5 };
        for (healthy, expected) in
            [(59, Verdict::CrashLoop { attempts: 5 }), (60, Verdict::RestartAfter(Duration::ZERO))]
        {
            let (_, verdict) = worn_out.next(&settings, Ended::Failed, Some(Duration::from_secs(healthy)));
            assert_eq!(verdict, expected, "{healthy} s");
        }
    }

    #[test]
    fn each_policy_restarts_what_it_says() {
        for policy in EVERY {
            for ended in [Ended::Failed, Ended::Finished] {
                let expected = match (policy, ended) {
                    (RestartPolicy::Never, _) | (RestartPolicy::OnFailure, Ended::Finished) => Verdict::Stay,
                    _ => Verdict::RestartAfter(Duration::ZERO),
                };
                let (_, verdict) = Attempts::default().next(&with(policy), ended, None);
                assert_eq!(verdict, expected, "{policy:?} {ended:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_history_of_short_lives_is_restarted_more_often_than_allowed(
            lives in prop::collection::vec(0_u64..59, 0..40), attempts_max in 1_u32..12,
        ) {
            let settings = Restart { attempts_max, ..with(RestartPolicy::Always) };
            let mut attempts = Attempts::default();
            let mut restarts = 0;
            for life in lives {
                let (next, verdict) = attempts.next(&settings, Ended::Failed, Some(Duration::from_secs(life)));
                attempts = next;
                match verdict {
                    Verdict::RestartAfter(wait) => {
                        prop_assert!(wait <= Duration::from_secs(30));
                        restarts += 1;
                    }
                    Verdict::CrashLoop { attempts } => prop_assert_eq!(attempts, attempts_max),
                    Verdict::Stay => prop_assert!(false, "`always` stayed down"),
                }
            }
            prop_assert!(restarts <= attempts_max);
        }
    }
}
