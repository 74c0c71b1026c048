//! Which lines are wanted.
//!
//! Pure. A line on disk is first looked at as it lies there, so that most are never parsed.

use hardpoint_model::job::JobId;
use hardpoint_model::log::{LogLevel, LogLine};
use memchr::memmem::Finder;

/// Which lines are wanted; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this job.
    pub job: Option<JobId>,
    /// Of this stage of it.
    pub stage: Option<u32>,
    /// Of this try of a stage.
    pub attempt: Option<u32>,
    /// At least so severe. What was printed has no severity.
    pub level: Option<LogLevel>,
    /// With this in their text.
    pub contains: Option<String>,
}

impl LogFilter {
    /// Whether a line is wanted.
    pub fn has(&self, line: &LogLine) -> bool {
        self.job.is_none_or(|job| line.job_id == Some(job))
            && self.stage.is_none_or(|stage| line.stage == Some(stage))
            && self.attempt.is_none_or(|attempt| line.attempt == Some(attempt))
            && self.level.is_none_or(|least| line.level.is_some_and(|level| level >= least))
            && self.contains.as_ref().is_none_or(|text| line.text.contains(text.as_str()))
    }
}

/// The same for lines as they lie on disk.
#[derive(Debug)]
pub(super) struct Sieve {
    filter: LogFilter,
    needles: Vec<Finder<'static>>,
}

impl Sieve {
    pub(super) fn new(filter: LogFilter) -> Self {
        let mut needles = Vec::new();
        if let Some(job) = filter.job {
            // With its quotes, which no text of a line has unescaped.
            needles.push(Finder::new(format!("\"job_id\":\"{job}\"").as_bytes()).into_owned());
        }
        if let Some(text) = filter.contains.as_ref().filter(|text| is_written_as_it_is(text)) {
            needles.push(Finder::new(text.as_bytes()).into_owned());
        }
        Self { filter, needles }
    }

    pub(super) fn filter(&self) -> &LogFilter {
        &self.filter
    }

    pub(super) fn wants_all(&self) -> bool {
        self.filter == LogFilter::default()
    }

    /// The line, when it is one and wanted.
    pub(super) fn sift(&self, raw: &[u8]) -> Option<LogLine> {
        if !self.needles.iter().all(|needle| needle.find(raw).is_some()) {
            return None;
        }
        serde_json::from_slice(raw).ok().filter(|line| self.filter.has(line))
    }
}

/// Whether JSON writes a text without escapes.
fn is_written_as_it_is(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))
}

/// The number of a line, without parsing it: it stands first.
pub(super) fn number_of(raw: &[u8]) -> Option<u64> {
    let rest = raw.strip_prefix(b"{\"number\":")?;
    let digits = rest.get(..rest.iter().position(|byte| !byte.is_ascii_digit())?)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::log::LogSource;
    use jiff::Timestamp;

    fn line(job_id: Option<JobId>, level: Option<LogLevel>, text: &str) -> LogLine {
        LogLine {
            number: 42,
            at: Timestamp::UNIX_EPOCH,
            plugin: "p".to_owned(),
            instance: "p".to_owned(),
            incarnation: 1,
            source: LogSource::Plugin,
            level,
            logger: None,
            job_id,
            stage: job_id.map(|_| 0),
            attempt: job_id.map(|_| 2),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_line_is_chosen_alike_in_memory_and_on_disk() {
        let (job, other) = (JobId::now(), JobId::now());
        let forged = format!("\"job_id\":\"{job}\"");
        let lines = [
            line(Some(job), Some(LogLevel::Warning), "a \"quoted\" Grüße\tline"),
            line(Some(other), Some(LogLevel::Info), "another line"),
            line(None, None, &forged),
        ];
        let all = LogFilter::default();
        let contains = |text: &str| LogFilter { contains: Some(text.to_owned()), ..all.clone() };
        let cases = [
            (all.clone(), [true, true, true]),
            (LogFilter { job: Some(job), ..all.clone() }, [true, false, false]),
            (LogFilter { job: Some(job), attempt: Some(1), ..all.clone() }, [false, false, false]),
            (LogFilter { stage: Some(0), attempt: Some(2), ..all.clone() }, [true, true, false]),
            (LogFilter { level: Some(LogLevel::Info), ..all.clone() }, [true, true, false]),
            (LogFilter { level: Some(LogLevel::Error), ..all.clone() }, [false, false, false]),
            (contains("line"), [true, true, false]),
            (contains("\"quoted\""), [true, false, false]),
            (contains("Grüße\t"), [true, false, false]),
            (contains("job_id"), [false, false, true]),
        ];
        for (filter, expected) in cases {
            let sieve = Sieve::new(filter.clone());
            for (line, expected) in lines.iter().zip(expected) {
                let raw = serde_json::to_vec(line).unwrap();
                assert_eq!(filter.has(line), expected, "{filter:?} {line:?}");
                assert_eq!(sieve.sift(&raw).as_ref(), expected.then_some(line), "{filter:?}");
                assert_eq!(number_of(&raw), Some(42));
            }
        }
    }

    #[test]
    fn what_is_no_line_is_passed_over() {
        let sieve = Sieve::new(LogFilter::default());
        let raw = serde_json::to_vec(&line(None, None, "whole")).unwrap();
        for torn in [&raw[..raw.len() - 1], &raw[3..], b"", b"\0\0\0", b"{}", b"\xff"] {
            assert_eq!(sieve.sift(torn), None);
        }
        for (raw, expected) in
            [(&b"{\"number\":7,"[..], Some(7)), (b"{\"number\":7", None), (b"{\"at\":7,", None)]
        {
            assert_eq!(number_of(raw), expected);
        }
    }
}
