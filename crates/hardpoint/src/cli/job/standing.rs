//! Where a job stands, added up from its events.
//!
//! Owns the words for it. Pure: it knows neither the terminal nor the server, and time is passed in.

use crate::cli::show;
use hardpoint_model::job::{CancelPhase, Event, EventKind, Job, JobStatus};
use hardpoint_model::pipeline::PipelineMessage;
use jiff::Timestamp;
use std::time::Duration;

/// Where a job stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    /// Tools of its stages: `plugin.tool`.
    tools: Vec<String>,
    stage: usize,
    status: JobStatus,
    /// The try that runs or ran last, from 1.
    attempt: u32,
    /// Since when it has this status.
    since: Option<Timestamp>,
    /// 0 to 1, where the tool can say.
    pub(super) progress: Option<f64>,
    message: String,
    phase: Option<CancelPhase>,
    blocked: Option<String>,
    /// Why it is tried again.
    failed: Option<String>,
}

impl Standing {
    pub(super) fn of(job: &Job) -> Self {
        let tools = job.stages.iter().map(|stage| format!("{}.{}", stage.plugin, stage.tool));
        Self {
            tools: tools.collect(),
            stage: 0,
            status: JobStatus::Pending,
            attempt: 0,
            since: None,
            progress: None,
            message: String::new(),
            phase: None,
            blocked: None,
            failed: None,
        }
    }

    /// Takes an event. What it changed, in a line, when that is worth one.
    pub(super) fn take(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::StateTransition { to, .. } => {
                self.enters(event.stage);
                self.becomes(*to, event.timestamp);
            }
            EventKind::ProgressChanged { progress, status_message } => {
                self.progress = Some(*progress).filter(|progress| *progress >= 0.0);
                self.message.clone_from(status_message);
            }
            EventKind::CancelPhaseChanged { to, .. } => self.phase = Some(*to),
            EventKind::RetryStarted { exception_repr, .. } => self.failed = Some(exception_repr.clone()),
            EventKind::BlockReasonChanged { to, .. } => self.blocked.clone_from(to),
            EventKind::SequenceAdvanced { .. } => self.enters(event.stage),
            // A job that does not run yet says so itself, in a moment.
            EventKind::PipelineMessage(PipelineMessage::PipelineStageStart { stage_index, .. })
                if self.status == JobStatus::Running =>
            {
                self.enters(*stage_index);
                self.becomes(JobStatus::Running, event.timestamp);
            }
            EventKind::PipelineMessage(_) | EventKind::ResourceSnapshot { .. } => return None,
        }
        (!self.status.is_terminal()).then(|| format!("{}: {}", self.name(), self.words()))
    }

    /// How a stage of a pipeline ended: whether well, and in words.
    pub(super) fn ended(&self, event: &Event) -> Option<(bool, String)> {
        let EventKind::PipelineMessage(message) = &event.kind else { return None };
        let PipelineMessage::PipelineStageEnd { stage_index, duration_ms, ok, .. } = message else {
            return None;
        };
        let stage = usize::try_from(*stage_index).ok()?;
        let how = if *ok { "done in" } else { "failed after" };
        let took = show::duration(Duration::from_millis(*duration_ms));
        Some((*ok, format!("{}  {how} {took}", self.name_of(stage))))
    }

    /// What happens from now on is of this stage, which was tried no time yet if it is another one.
    fn enters(&mut self, stage: u32) {
        let stage = usize::try_from(stage).unwrap_or(self.stage);
        if stage != self.stage {
            self.stage = stage;
            self.attempt = 0;
            self.failed = None;
            self.progress = None;
            self.message.clear();
        }
    }

    fn becomes(&mut self, status: JobStatus, at: Timestamp) {
        self.status = status;
        self.since = Some(at);
        match status {
            JobStatus::Running => {
                self.attempt += 1;
                self.blocked = None;
                self.progress = None;
                self.message.clear();
            }
            JobStatus::Pending => self.progress = None,
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => {}
        }
    }

    /// The tool that runs, with its place among several.
    pub(super) fn name(&self) -> String {
        self.name_of(self.stage)
    }

    fn name_of(&self, stage: usize) -> String {
        let tool = self.tools.get(stage).map_or("job", String::as_str);
        match self.tools.len() {
            0 | 1 => tool.to_owned(),
            count => format!("[{}/{count}] {tool}", stage + 1),
        }
    }

    /// How long it has stood like this.
    pub(super) fn lasts(&self, now: Timestamp) -> Duration {
        // The clocks of two machines may differ.
        self.since.and_then(|since| now.duration_since(since).try_into().ok()).unwrap_or_default()
    }

    /// All of it in a few words.
    pub(super) fn words(&self) -> String {
        let mut words = vec![self.status_words()];
        if self.attempt > 1 {
            words.push(format!("try {}", self.attempt));
        }
        match self.status {
            JobStatus::Pending => {
                words.extend(self.blocked.as_ref().map(|reason| format!("waits: {reason}")));
                words.extend(self.failed.as_ref().map(|error| format!("tried again after {error}")));
            }
            JobStatus::Running => {
                words.extend(self.progress.map(|progress| format!("{:.0} %", progress * 100.0)));
                words.extend((!self.message.is_empty()).then(|| self.message.clone()));
            }
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => {}
        }
        words.join(", ")
    }

    fn status_words(&self) -> String {
        match self.phase {
            Some(CancelPhase::Cooperative) => "cancelling: it was asked to stop".to_owned(),
            Some(CancelPhase::Force) => "cancelling: its worker is being ended".to_owned(),
            Some(CancelPhase::Reloading) => "cancelling: its plugin is started again".to_owned(),
            Some(CancelPhase::Completed) | None => self.status.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::document::Format;
    use hardpoint_model::job::{JobId, NewJob};
    use hardpoint_model::{Category, Pipeline};
    use serde_json::{Value, json};

    fn job(tools: &[&str]) -> Job {
        let stages: Vec<Value> = tools.iter().map(|tool| json!({"plugin": "ocr", "tool": tool})).collect();
        let pipeline = Pipeline::parse(&json!(stages).to_string(), "p", Format::Json).unwrap();
        NewJob::of_pipeline(pipeline).job
    }

    /// The lines of these events of the first stage, one a second.
    fn lines(tools: &[&str], kinds: Vec<EventKind>) -> Vec<String> {
        lines_of(tools, kinds.into_iter().map(|kind| (0, kind)).collect())
    }

    /// The lines of these events, each of a stage.
    fn lines_of(tools: &[&str], kinds: Vec<(u32, EventKind)>) -> Vec<String> {
        let job = job(tools);
        let mut standing = Standing::of(&job);
        let taken = (1..).zip(kinds).map(|(number, (stage, kind))| {
            let timestamp = Timestamp::from_second(number).unwrap();
            let number = u64::try_from(number).unwrap();
            let plugin_instance_id = "ocr".to_owned();
            let event = Event { number, kind, job_id: job.job_id, plugin_instance_id, stage, timestamp };
            standing.take(&event).unwrap_or_else(|| "-".to_owned())
        });
        taken.collect()
    }

    fn to(status: JobStatus) -> EventKind {
        EventKind::StateTransition { from: None, to: status }
    }

    #[test]
    fn a_job_that_is_tried_again_says_why_and_how_far_it_is() {
        use JobStatus::{Completed, Pending, Running};
        let progress = |progress, message: &str| EventKind::ProgressChanged {
            progress,
            status_message: message.to_owned(),
        };
        let failed = EventKind::RetryStarted {
            attempt: 1,
            exception_repr: "TransientError('busy')".to_owned(),
            exception_category: Category::Transient,
        };
        let blocked =
            |to: Option<&str>| EventKind::BlockReasonChanged { from: None, to: to.map(str::to_owned) };
        let kinds = vec![
            to(Pending),
            blocked(Some("plugin `ocr` is disabled")),
            blocked(None),
            to(Running),
            progress(0.25, "page 1 of 4"),
            progress(-1.0, "looking"),
            to(Pending),
            failed,
            to(Running),
            to(Completed),
        ];
        let expected = [
            "ocr.read: pending",
            "ocr.read: pending, waits: plugin `ocr` is disabled",
            "ocr.read: pending",
            "ocr.read: running",
            "ocr.read: running, 25 %, page 1 of 4",
            "ocr.read: running, looking",
            "ocr.read: pending",
            "ocr.read: pending, tried again after TransientError('busy')",
            "ocr.read: running, try 2",
            "-",
        ];
        assert_eq!(lines(&["read"], kinds), expected);
    }

    #[test]
    fn a_cancellation_is_told_by_its_phases_and_stages_by_their_place() {
        use JobStatus::{Cancelled, Running};
        let advanced = EventKind::SequenceAdvanced {
            prior_job_id: JobId::now(),
            prior_step_index: 0,
            prior_success: true,
        };
        let phase = |to| EventKind::CancelPhaseChanged { from: None, to };
        let kinds = vec![
            (0, to(Running)),
            (1, advanced),
            (1, phase(CancelPhase::Cooperative)),
            (1, phase(CancelPhase::Force)),
            (1, phase(CancelPhase::Reloading)),
            (1, phase(CancelPhase::Completed)),
            (1, to(Cancelled)),
        ];
        let expected = [
            "[1/2] ocr.read: running",
            "[2/2] ocr.sort: running",
            "[2/2] ocr.sort: cancelling: it was asked to stop",
            "[2/2] ocr.sort: cancelling: its worker is being ended",
            "[2/2] ocr.sort: cancelling: its plugin is started again",
            "[2/2] ocr.sort: running",
            "-",
        ];
        assert_eq!(lines_of(&["read", "sort"], kinds), expected);
    }

    #[test]
    fn a_job_that_begins_with_what_was_finished_is_at_the_stage_that_runs_and_counts_its_tries_alone() {
        use JobStatus::{Pending, Running};
        let begins = |stage_index| {
            EventKind::PipelineMessage(PipelineMessage::PipelineStageStart {
                job_id: JobId::now(),
                stage_index,
                plugin: "ocr".to_owned(),
                tool: "sort".to_owned(),
                timestamp: Timestamp::UNIX_EPOCH,
            })
        };
        let advanced = EventKind::SequenceAdvanced {
            prior_job_id: JobId::now(),
            prior_step_index: 1,
            prior_success: true,
        };
        let kinds = vec![
            (1, to(Pending)),
            (1, begins(1)),
            (1, to(Running)),
            (1, to(Pending)),
            (1, to(Running)),
            (2, advanced),
            (2, begins(2)),
        ];
        let expected = [
            "[2/3] ocr.sort: pending",
            "-",
            "[2/3] ocr.sort: running",
            "[2/3] ocr.sort: pending",
            "[2/3] ocr.sort: running, try 2",
            "[3/3] ocr.show: running",
            "[3/3] ocr.show: running",
        ];
        assert_eq!(lines_of(&["read", "sort", "show"], kinds), expected);
    }

    #[test]
    fn the_end_of_a_stage_says_how_it_ended_and_how_long_it_took() {
        let job = job(&["read", "sort"]);
        let standing = Standing::of(&job);
        let (job_id, timestamp) = (job.job_id, Timestamp::UNIX_EPOCH);
        let ended = |stage_index, ok| {
            let message = PipelineMessage::PipelineStageEnd {
                job_id,
                stage_index,
                plugin: "ocr".to_owned(),
                duration_ms: 1230,
                ok,
                result_size_bytes: 0,
                timestamp,
            };
            let kind = EventKind::PipelineMessage(message);
            let plugin_instance_id = "ocr".to_owned();
            standing.ended(&Event {
                number: 1,
                kind,
                job_id,
                plugin_instance_id,
                stage: stage_index,
                timestamp,
            })
        };
        assert_eq!(ended(0, true), Some((true, "[1/2] ocr.read  done in 1.23 s".to_owned())));
        assert_eq!(ended(1, false), Some((false, "[2/2] ocr.sort  failed after 1.23 s".to_owned())));
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_time_before_the_beginning() {
        let mut standing = Standing::of(&job(&["read"]));
        standing.becomes(JobStatus::Running, Timestamp::from_second(100).unwrap());
        let lasts = |second| standing.lasts(Timestamp::from_second(second).unwrap());
        assert_eq!((lasts(103), lasts(90)), (Duration::from_secs(3), Duration::ZERO));
    }
}
