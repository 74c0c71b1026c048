//! Events: numbered facts about jobs, and their payloads.
//!
//! Owns the kinds and their JSON. A number is given by the store, in the transaction that makes the fact true.

use super::{CancelPhase, JobId, JobStatus};
use crate::error::Category;
use crate::limits::EVENT_TEXT_BYTES_MAX;
use crate::pipeline::PipelineMessage;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "payload", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// A job's status changed.
    StateTransition {
        /// What it was; null for a job that was just accepted.
        from: Option<JobStatus>,
        /// What it is.
        to: JobStatus,
    },
    /// A running call told how far it is.
    ProgressChanged {
        /// 0 to 1, or -1 when it cannot say.
        progress: f64,
        /// What it is doing.
        status_message: String,
    },
    /// What a running job's worker uses.
    ResourceSnapshot {
        /// The figures.
        snapshot: ResourceSnapshot,
    },
    /// A cancellation got further.
    CancelPhaseChanged {
        /// How far it was; null when it has just begun.
        from: Option<CancelPhase>,
        /// How far it is now.
        to: CancelPhase,
    },
    /// A stage is tried again.
    RetryStarted {
        /// How often it has been tried again, this time included.
        attempt: u32,
        /// What it failed with, the last time.
        exception_repr: String,
        /// What kind of failure that was.
        exception_category: Category,
    },
    /// Why a pending job waits is no longer the same.
    BlockReasonChanged {
        /// Why it waited; null when nothing kept it.
        from: Option<String>,
        /// Why it waits; null when nothing keeps it.
        to: Option<String>,
    },
    /// A job went on to its next stage.
    SequenceAdvanced {
        /// The job that the stage before was part of: this one.
        #[schemars(with = "String", extend("format" = "uuid"))]
        prior_job_id: JobId,
        /// The stage before, from 0.
        prior_step_index: u32,
        /// Whether that one ended well.
        prior_success: bool,
    },
    /// What the run of a pipeline says; the payload is the whole message.
    PipelineMessage(PipelineMessage),
}

/// What the worker of a job used at one moment. What is not known is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceSnapshot {
    /// When it was measured.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// Process number of the worker.
    pub worker_pid: u32,
    /// Processor use of its whole process tree: 100 is one core.
    pub cpu_percent: f64,
    /// Resident memory of its whole process tree, in MiB.
    pub memory_rss_mb: f64,
    /// Which GPU it is on, from 0.
    pub gpu_index: Option<u32>,
    /// Memory of that GPU which its process tree uses, in MiB.
    pub gpu_memory_mb: Option<f64>,
    /// Who made the GPU: `NVIDIA`, `AMD`, `Intel`.
    pub gpu_type: Option<String>,
    /// Memory that the GPU has, in MiB.
    pub gpu_total_mb: Option<f64>,
    /// How busy the GPU is, whoever uses it: 0 to 100.
    pub gpu_load_percent: Option<f64>,
}

impl EventKind {
    /// With texts that are not longer than [`EVENT_TEXT_BYTES_MAX`]: what plugins say has no end.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let text = match &mut self {
            Self::ProgressChanged { status_message, .. } => Some(status_message),
            Self::RetryStarted { exception_repr, .. } => Some(exception_repr),
            Self::BlockReasonChanged { from, to } => {
                from.iter_mut().for_each(cut);
                to.as_mut()
            }
            Self::StateTransition { .. }
            | Self::ResourceSnapshot { .. }
            | Self::CancelPhaseChanged { .. }
            | Self::SequenceAdvanced { .. } => None,
            Self::PipelineMessage(PipelineMessage::PipelineError { error, .. }) => Some(error),
            Self::PipelineMessage(_) => None,
        };
        text.into_iter().for_each(cut);
        self
    }

    /// The word for it, as in `type`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::StateTransition { .. } => "STATE_TRANSITION",
            Self::ProgressChanged { .. } => "PROGRESS_CHANGED",
            Self::ResourceSnapshot { .. } => "RESOURCE_SNAPSHOT",
            Self::CancelPhaseChanged { .. } => "CANCEL_PHASE_CHANGED",
            Self::RetryStarted { .. } => "RETRY_STARTED",
            Self::BlockReasonChanged { .. } => "BLOCK_REASON_CHANGED",
            Self::SequenceAdvanced { .. } => "SEQUENCE_ADVANCED",
            Self::PipelineMessage(_) => "PIPELINE_MESSAGE",
        }
    }
}

fn cut(text: &mut String) {
    if text.len() > EVENT_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(EVENT_TEXT_BYTES_MAX - CUT.len()));
        text.push_str(CUT);
    }
}

/// Ends a text that was longer.
const CUT: &str = " … (cut)";

/// What a follower is told besides events. It has no number: whoever comes back names the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "payload", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Notice {
    /// Events before the next one are not kept any more.
    EventsDropped {
        /// From this number on nothing is missing.
        first_kept: u64,
        /// How many are gone, over all jobs.
        count: u64,
    },
}

impl Notice {
    /// The word for it, as in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsDropped { .. } => "EVENTS_DROPPED",
        }
    }
}

/// A fact that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The job.
    pub job_id: JobId,
    /// The instance that runs its stage.
    pub plugin_instance_id: String,
    /// Its stage, from 0.
    pub stage: u32,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// A numbered fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its number: each is one more than the one before it, over all jobs.
    pub number: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// The job.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub job_id: JobId,
    /// The instance that runs its stage.
    pub plugin_instance_id: String,
    /// Its stage, from 0.
    pub stage: u32,
    /// When it happened.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn each_type_of_event_has_the_payload_that_clients_know() {
        let check = |kind: EventKind, word: &str, payload: Value| {
            assert_eq!(kind.as_str(), word);
            let event = Event {
                number: 4711,
                kind,
                job_id: "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11".parse().unwrap(),
                plugin_instance_id: "ocr@fast".to_owned(),
                stage: 0,
                timestamp: "2026-03-04T05:06:07.089Z".parse().unwrap(),
            };
            let written = serde_json::to_value(&event).unwrap();
            let expected = json!({
                "number": 4711,
                "type": word,
                "payload": payload,
                "job_id": "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11",
                "plugin_instance_id": "ocr@fast",
                "stage": 0,
                "timestamp": "2026-03-04T05:06:07.089Z",
            });
            assert_eq!(written, expected);
            assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
        };
        let (from, to) = (Some(JobStatus::Pending), JobStatus::Running);
        check(
            EventKind::StateTransition { from, to },
            "STATE_TRANSITION",
            json!({"from": "pending", "to": "running"}),
        );
        check(
            EventKind::ProgressChanged { progress: 0.5, status_message: "page 3 of 6".to_owned() },
            "PROGRESS_CHANGED",
            json!({"progress": 0.5, "status_message": "page 3 of 6"}),
        );
        check(EventKind::ResourceSnapshot { snapshot: snapshot() }, "RESOURCE_SNAPSHOT", snapshot_json());
        let (from, to) = (Some(CancelPhase::Cooperative), CancelPhase::Force);
        check(
            EventKind::CancelPhaseChanged { from, to },
            "CANCEL_PHASE_CHANGED",
            json!({"from": "COOPERATIVE", "to": "FORCE"}),
        );
        check(
            EventKind::RetryStarted {
                attempt: 1,
                exception_repr: "TransientError('the service was down')".to_owned(),
                exception_category: Category::Transient,
            },
            "RETRY_STARTED",
            json!({"attempt": 1, "exception_repr": "TransientError('the service was down')",
                "exception_category": "transient"}),
        );
        check(
            EventKind::BlockReasonChanged { from: None, to: Some("plugin `ocr` is disabled".to_owned()) },
            "BLOCK_REASON_CHANGED",
            json!({"from": null, "to": "plugin `ocr` is disabled"}),
        );
        check(
            EventKind::SequenceAdvanced {
                prior_job_id: "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11".parse().unwrap(),
                prior_step_index: 0,
                prior_success: true,
            },
            "SEQUENCE_ADVANCED",
            json!({"prior_job_id": "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11", "prior_step_index": 0,
                "prior_success": true}),
        );
    }

    #[test]
    fn a_text_in_an_event_has_an_end() {
        let cut = |text: &str| {
            let said = EventKind::ProgressChanged { progress: 0.5, status_message: text.to_owned() };
            match said.bounded() {
                EventKind::ProgressChanged { status_message, .. } => status_message,
                other => panic!("{other:?}"),
            }
        };
        let fits = "ä".repeat(EVENT_TEXT_BYTES_MAX / 2);
        assert_eq!(cut(&fits), fits);
        let long = cut(&format!("{fits}ä"));
        assert!(long.len() <= EVENT_TEXT_BYTES_MAX && long.ends_with("ä … (cut)"), "{} bytes", long.len());
    }

    fn snapshot() -> ResourceSnapshot {
        ResourceSnapshot {
            timestamp: "2026-03-04T05:06:07Z".parse().unwrap(),
            worker_pid: 4242,
            cpu_percent: 187.5,
            memory_rss_mb: 812.25,
            gpu_index: Some(0),
            gpu_memory_mb: Some(2048.0),
            gpu_type: Some("NVIDIA".to_owned()),
            gpu_total_mb: Some(81559.0),
            gpu_load_percent: Some(42.0),
        }
    }

    fn snapshot_json() -> Value {
        json!({"snapshot": {
            "timestamp": "2026-03-04T05:06:07Z", "worker_pid": 4242, "cpu_percent": 187.5, "memory_rss_mb": 812.25, "gpu_index": 0,
            "gpu_memory_mb": 2048.0, "gpu_type": "NVIDIA", "gpu_total_mb": 81559.0, "gpu_load_percent": 42.0,
        }})
    }

    #[test]
    fn a_notice_looks_like_an_event_without_a_number() {
        let notice = Notice::EventsDropped { first_kept: 4712, count: 11 };
        let expected = json!({"type": "EVENTS_DROPPED", "payload": {"first_kept": 4712, "count": 11}});
        assert_eq!(serde_json::to_value(notice).unwrap(), expected);
        assert_eq!(notice.as_str(), "EVENTS_DROPPED");
    }

    #[test]
    fn what_is_not_known_of_a_worker_is_null_and_not_left_out() {
        let used = ResourceSnapshot { worker_pid: 7, ..ResourceSnapshot::default() };
        let written = serde_json::to_value(EventKind::ResourceSnapshot { snapshot: used }).unwrap();
        for field in ["gpu_index", "gpu_memory_mb", "gpu_type", "gpu_total_mb", "gpu_load_percent"] {
            assert_eq!(written["payload"]["snapshot"].get(field), Some(&Value::Null), "{field}");
        }
    }
}
