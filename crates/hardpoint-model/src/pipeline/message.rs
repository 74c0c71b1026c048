//! The messages that a run of a pipeline sends while it goes on.
//!
//! Owns their exact fields. Whether and when one is sent is decided elsewhere.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::JobId;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PipelineMessage {
    /// A stage began, for the first time.
    PipelineStageStart {
        /// The job.
        #[schemars(with = "String", extend("format" = "uuid"))]
        job_id: JobId,
        /// Which stage, from 0.
        stage_index: u32,
        /// Its plugin, perhaps an instance of it.
        plugin: String,
        /// Its tool.
        tool: String,
        /// When it began.
        #[schemars(with = "String", extend("format" = "date-time"))]
        timestamp: Timestamp,
    },
    /// A stage is over.
    PipelineStageEnd {
        /// The job.
        #[schemars(with = "String", extend("format" = "uuid"))]
        job_id: JobId,
        /// Which stage, from 0.
        stage_index: u32,
        /// Its plugin, perhaps an instance of it.
        plugin: String,
        /// How long its last try took.
        duration_ms: u64,
        /// Whether it ended well.
        ok: bool,
        /// The size of what it brought, binary data included; 0 when it failed.
        result_size_bytes: u64,
        /// When it ended.
        #[schemars(with = "String", extend("format" = "date-time"))]
        timestamp: Timestamp,
    },
    /// A stage failed.
    PipelineError {
        /// The job.
        #[schemars(with = "String", extend("format" = "uuid"))]
        job_id: JobId,
        /// Which stage, from 0.
        stage_index: u32,
        /// Its plugin, perhaps an instance of it.
        plugin: String,
        /// Why, in one sentence.
        error: String,
        /// The exception class, or the host's own name for the failure.
        error_type: String,
        /// When it failed.
        #[schemars(with = "String", extend("format" = "date-time"))]
        timestamp: Timestamp,
    },
    /// A stage ended well: how far the whole is.
    PipelineProgress {
        /// The job.
        #[schemars(with = "String", extend("format" = "uuid"))]
        job_id: JobId,
        /// How many stages there are.
        stages_total: u32,
        /// How many of them ended well.
        stages_completed: u32,
        /// The same in percent, rounded half up.
        percent: u32,
        /// When.
        #[schemars(with = "String", extend("format" = "date-time"))]
        timestamp: Timestamp,
    },
}

impl PipelineMessage {
    /// The word for it, as in `type`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::PipelineStageStart { .. } => "pipeline_stage_start",
            Self::PipelineStageEnd { .. } => "pipeline_stage_end",
            Self::PipelineError { .. } => "pipeline_error",
            Self::PipelineProgress { .. } => "pipeline_progress",
        }
    }

    /// How far a run of so many stages is.
    pub fn progress(job_id: JobId, stages_completed: u32, stages_total: u32, timestamp: Timestamp) -> Self {
        let total = u64::from(stages_total.max(1));
        let percent = (200 * u64::from(stages_completed) + total) / (2 * total);
        let percent = u32::try_from(percent).unwrap_or(100);
        Self::PipelineProgress { job_id, stages_total, stages_completed, percent, timestamp }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const JOB: &str = "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11";
    const AT: &str = "2026-02-15T10:30:01.25Z";

    #[test]
    fn each_message_has_exactly_the_fields_that_clients_know() {
        let (job_id, timestamp) = (JOB.parse().unwrap(), AT.parse().unwrap());
        let check = |message: PipelineMessage, expected: Value| {
            let written = serde_json::to_value(&message).unwrap();
            assert_eq!(written, expected);
            assert_eq!(written["type"], message.as_str());
            assert_eq!(serde_json::from_value::<PipelineMessage>(written).unwrap(), message);
        };
        let (plugin, tool) = ("videotracker".to_owned(), "detect_players".to_owned());
        check(
            PipelineMessage::PipelineStageStart {
                job_id,
                stage_index: 0,
                plugin: plugin.clone(),
                tool,
                timestamp,
            },
            json!({"type": "pipeline_stage_start", "job_id": JOB, "stage_index": 0, "plugin": "videotracker",
                "tool": "detect_players", "timestamp": AT}),
        );
        check(
            PipelineMessage::PipelineStageEnd {
                job_id,
                stage_index: 0,
                plugin: plugin.clone(),
                duration_ms: 1250,
                ok: true,
                result_size_bytes: 45230,
                timestamp,
            },
            json!({"type": "pipeline_stage_end", "job_id": JOB, "stage_index": 0, "plugin": "videotracker",
                "duration_ms": 1250, "ok": true, "result_size_bytes": 45230, "timestamp": AT}),
        );
        check(
            PipelineMessage::PipelineError {
                job_id,
                stage_index: 1,
                plugin: "pose".to_owned(),
                error: "Memory error during inference".to_owned(),
                error_type: "RuntimeError".to_owned(),
                timestamp,
            },
            json!({"type": "pipeline_error", "job_id": JOB, "stage_index": 1, "plugin": "pose",
                "error": "Memory error during inference", "error_type": "RuntimeError", "timestamp": AT}),
        );
        check(
            PipelineMessage::progress(job_id, 2, 3, timestamp),
            json!({"type": "pipeline_progress", "job_id": JOB, "stages_total": 3, "stages_completed": 2,
                "percent": 67, "timestamp": AT}),
        );
    }

    #[test]
    fn percent_rounds_half_up() {
        let percent = |completed, total| {
            let message =
                PipelineMessage::progress(JOB.parse().unwrap(), completed, total, AT.parse().unwrap());
            let PipelineMessage::PipelineProgress { percent, .. } = message else { panic!("{message:?}") };
            percent
        };
        for (completed, total, expected) in
            [(0, 3, 0), (1, 3, 33), (2, 3, 67), (3, 3, 100), (1, 8, 13), (5, 8, 63), (1, 64, 2), (0, 0, 0)]
        {
            assert_eq!(percent(completed, total), expected, "{completed} of {total}");
        }
    }
}
