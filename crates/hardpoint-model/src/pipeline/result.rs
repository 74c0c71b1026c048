//! Owns the shape of a pipeline's result as clients read it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use std::borrow::Cow;

use crate::error::{Category, JobError};
use crate::exit::ExitReason;

/// What a run of a pipeline came to.
#[derive(Debug, Clone, PartialEq)]
pub enum PipelineResult {
    /// Every stage ended well.
    Done {
        /// The last output, or the merged document.
        result: Value,
        /// How many stages ran.
        stages_executed: usize,
    },
    /// At least one stage failed.
    Failed(PipelineFailure),
}

/// The failure that a run is reported with: the first one.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineFailure {
    /// One sentence for people.
    pub error: String,
    /// The exception class, or the host's own name for the failure.
    pub error_type: String,
    /// Who can mend it.
    pub category: Category,
    /// The stage that failed, counted from 1 as in `stages_executed`.
    pub stage_failed: usize,
    /// What the finished stages came to.
    pub partial_result: Value,
    /// How the worker ended, if it did.
    pub exit_reason: Option<ExitReason>,
}

impl PipelineFailure {
    /// The failure of one stage with what was finished before it.
    pub fn of_stage(
        stage_failed: usize,
        error: &JobError,
        partial_result: Value,
        exit_reason: Option<ExitReason>,
    ) -> Self {
        Self {
            error: error.message.clone(),
            error_type: error.error_type.clone(),
            category: error.category,
            stage_failed,
            partial_result,
            exit_reason,
        }
    }
}

impl Serialize for PipelineResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Done { result, stages_executed } => {
                map.serialize_entry("ok", &true)?;
                map.serialize_entry("result", result)?;
                map.serialize_entry("stages_executed", stages_executed)?;
            }
            Self::Failed(failure) => {
                map.serialize_entry("ok", &false)?;
                map.serialize_entry("error", &failure.error)?;
                map.serialize_entry("error_type", &failure.error_type)?;
                map.serialize_entry("category", &failure.category)?;
                map.serialize_entry("stage_failed", &failure.stage_failed)?;
                map.serialize_entry("partial_result", &failure.partial_result)?;
                if let Some(reason) = &failure.exit_reason {
                    map.serialize_entry("exit_reason", reason)?;
                }
            }
        }
        map.end()
    }
}

impl JsonSchema for PipelineResult {
    fn schema_name() -> Cow<'static, str> {
        "PipelineResult".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (category, exit) =
            (generator.subschema_for::<Category>(), generator.subschema_for::<ExitReason>());
        json_schema!({
            "description": "What a run of a pipeline came to. `stage_failed` is counted from 1.",
            "oneOf": [
                {
                    "type": "object",
                    "properties": {
                        "ok": {"const": true}, "result": {},
                        "stages_executed": {"type": "integer", "minimum": 0}
                    },
                    "required": ["ok", "result", "stages_executed"],
                    "additionalProperties": false
                },
                {
                    "type": "object",
                    "properties": {
                        "ok": {"const": false}, "error": {"type": "string"}, "error_type": {"type": "string"},
                        "category": category, "stage_failed": {"type": "integer", "minimum": 1},
                        "partial_result": {}, "exit_reason": exit
                    },
                    "required": ["ok", "error", "error_type", "category", "stage_failed", "partial_result"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_have_exactly_the_promised_fields() {
        let error = JobError::new(Category::UserInput, "ValueError", "no such page");
        let died =
            PipelineFailure::of_stage(2, &error, json!({"a": 1}), Some(ExitReason::ExitCode { code: 3 }));
        let failed = PipelineFailure { exit_reason: None, ..died.clone() };
        for (result, expected) in [
            (
                PipelineResult::Done { result: json!({"a": 1}), stages_executed: 3 },
                json!({"ok": true, "result": {"a": 1}, "stages_executed": 3}),
            ),
            (
                PipelineResult::Failed(failed),
                json!({
                    "ok": false, "error": "no such page", "error_type": "ValueError", "category": "user_input",
                    "stage_failed": 2, "partial_result": {"a": 1}
                }),
            ),
            (
                PipelineResult::Failed(died),
                json!({
                    "ok": false, "error": "no such page", "error_type": "ValueError", "category": "user_input",
                    "stage_failed": 2, "partial_result": {"a": 1},
                    "exit_reason": {"kind": "exit_code", "code": 3}
                }),
            ),
        ] {
            assert_eq!(serde_json::to_value(&result).unwrap(), expected);
        }
    }
}
