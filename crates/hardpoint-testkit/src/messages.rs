//! The messages of runs: each stage that began says so once, and once how it ended, and nothing comes after a failure.
//!
//! Owns what must have been said of a run once it is over. Pure: it is given the jobs and the events.

use hardpoint_model::job::{Event, EventKind, Job, JobId, JobStatus};
use hardpoint_model::pipeline::PipelineMessage as Message;
use std::collections::BTreeMap;

/// What does not fit; empty when all is well. `runs` are runs of pipelines that are over, none of whose events were let go,
/// each with whether its first failure ends it.
pub fn faults_of_messages<'a>(runs: impl Iterator<Item = (&'a Job, bool)>, events: &[Event]) -> Vec<String> {
    let mut said: BTreeMap<(JobId, u32), String> = BTreeMap::new();
    for event in events {
        if let EventKind::PipelineMessage(message) = &event.kind {
            said.entry((event.job_id, event.stage)).or_default().push(letter(message));
        }
    }
    runs.flat_map(|(job, fail_fast)| of_run(job, fail_fast, &said)).collect()
}

fn of_run(job: &Job, fail_fast: bool, said: &BTreeMap<(JobId, u32), String>) -> Vec<String> {
    let (mut faults, mut broken) = (Vec::new(), false);
    for (number, stage) in (0_u32..).zip(&job.stages) {
        let said = said.get(&(job.job_id, number)).map_or("", String::as_str);
        let expected = match (stage.status, stage.attempts) {
            (_, 0) => "",
            (JobStatus::Completed, _) => "sep",
            (JobStatus::Failed | JobStatus::Cancelled | JobStatus::Pending | JobStatus::Running, _) => "sxf",
        };
        let what =
            format!("stage {number} of job {}, {} after {} tries,", job.job_id, stage.status, stage.attempts);
        if said != expected {
            faults.push(format!("{what} said `{said}` instead of `{expected}`"));
        }
        if broken && stage.attempts > 0 {
            faults.push(format!("{what} began after a failure"));
        }
        broken |= fail_fast && stage.status != JobStatus::Completed;
    }
    faults
}

fn letter(message: &Message) -> char {
    match message {
        Message::PipelineStageStart { .. } => 's',
        Message::PipelineStageEnd { ok: true, .. } => 'e',
        Message::PipelineStageEnd { ok: false, .. } => 'x',
        Message::PipelineError { .. } => 'f',
        Message::PipelineProgress { .. } => 'p',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::job::NewJob;
    use jiff::Timestamp;
    use serde_json::Map;

    /// A run of two stages: the first completed, the second failed.
    fn run() -> Job {
        let mut job = NewJob::of_tool("calm".parse().unwrap(), "quick".to_owned(), Map::new()).job;
        job.stages.push(job.stages[0].clone());
        for (stage, status) in job.stages.iter_mut().zip([JobStatus::Completed, JobStatus::Failed]) {
            (stage.status, stage.attempts) = (status, 1);
        }
        job
    }

    fn events(job: JobId, said: &[(u32, &str)]) -> Vec<Event> {
        let (plugin, tool, timestamp) = ("calm".to_owned(), "quick".to_owned(), Timestamp::UNIX_EPOCH);
        let message = |stage_index: u32, letter: char| {
            let (plugin, tool) = (plugin.clone(), tool.clone());
            match letter {
                's' => Message::PipelineStageStart { job_id: job, stage_index, plugin, tool, timestamp },
                'p' => Message::progress(job, stage_index + 1, 2, timestamp),
                'f' => Message::PipelineError {
                    job_id: job,
                    stage_index,
                    plugin,
                    error: String::new(),
                    error_type: String::new(),
                    timestamp,
                },
                end => Message::PipelineStageEnd {
                    job_id: job,
                    stage_index,
                    plugin,
                    duration_ms: 0,
                    ok: end == 'e',
                    result_size_bytes: 0,
                    timestamp,
                },
            }
        };
        let all = said.iter().flat_map(|(stage, letters)| letters.chars().map(|letter| (*stage, letter)));
        let event = |(number, (stage, letter)): (u64, (u32, char))| Event {
            number,
            kind: EventKind::PipelineMessage(message(stage, letter)),
            job_id: job,
            plugin_instance_id: "calm".to_owned(),
            stage,
            timestamp,
        };
        (1..).zip(all).map(event).collect()
    }

    #[track_caller]
    fn check(said: &[(u32, &str)], expected: &[&str]) {
        let job = run();
        let faults = faults_of_messages([(&job, true)].into_iter(), &events(job.job_id, said));
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn a_message_that_is_missing_doubled_or_out_of_order_is_found() {
        check(&[(0, "sep"), (1, "sxf")], &[]);
        check(&[(0, "sp"), (1, "sxf")], &["said `sp` instead of `sep`"]);
        check(&[(0, "ssep"), (1, "sxf")], &["said `ssep`"]);
        check(&[(0, "spe"), (1, "xsf")], &["said `spe`", "said `xsf` instead of `sxf`"]);
        check(&[(0, "sep")], &["said `` instead of `sxf`"]);
    }

    #[test]
    fn a_stage_that_begins_after_a_failure_is_found() {
        let mut job = run();
        job.stages[0].status = JobStatus::Failed;
        let faults =
            faults_of_messages([(&job, true)].into_iter(), &events(job.job_id, &[(0, "sxf"), (1, "sxf")]));
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].contains("began after a failure"), "{faults:#?}");
        let tolerant = events(job.job_id, &[(0, "sxf"), (1, "sxf")]);
        assert!(faults_of_messages([(&job, false)].into_iter(), &tolerant).is_empty());
    }
}
