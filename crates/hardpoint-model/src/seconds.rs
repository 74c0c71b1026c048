//! Owns durations as users write them: seconds, whole or with a fraction. Knows no clock.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::TIMEOUT_SECONDS_MAX;

/// A positive length of time with a resolution of one millisecond, at most one week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u64);

impl Seconds {
    /// Whole seconds.
    pub const fn whole(seconds: u32) -> Self {
        Self(seconds as u64 * 1000)
    }

    /// A part of a second, given in milliseconds.
    pub(crate) const fn millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds, as the worker protocol counts.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The same as a [`Duration`].
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    fn from_f64(seconds: f64) -> Option<Self> {
        let max = f64::from(TIMEOUT_SECONDS_MAX);
        if !(seconds > 0.0 && seconds <= max) {
            return None;
        }
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        let millis = u64::try_from(duration.as_micros().div_ceil(1000)).ok()?;
        Some(Self(millis.max(1)))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            return write!(f, "{whole} s");
        }
        write!(f, "{} s", format!("{whole}.{rest:03}").trim_end_matches('0'))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            return serializer.serialize_u64(self.0 / 1000);
        }
        serializer.serialize_f64(self.as_duration().as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Self::from_f64(seconds).ok_or_else(|| {
            de::Error::custom(format!("must be more than 0 and at most {TIMEOUT_SECONDS_MAX} seconds"))
        })
    }
}

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "exclusiveMinimum": 0, "maximum": TIMEOUT_SECONDS_MAX})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_come_back_as_they_were_written() {
        for text in ["60", "0.5", "604800", "0.001"] {
            let parsed: Seconds = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&parsed).unwrap(), text);
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for text in ["0", "-1", "1e300", "604801", "\"60\"", "null"] {
            assert!(serde_json::from_str::<Seconds>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn they_read_naturally() {
        for (text, expected) in [("60", "60 s"), ("0.5", "0.5 s"), ("1.25", "1.25 s")] {
            assert_eq!(serde_json::from_str::<Seconds>(text).unwrap().to_string(), expected);
        }
    }
}
