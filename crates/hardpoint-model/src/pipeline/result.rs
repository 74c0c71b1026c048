//! Owns the shape of a pipeline's result as clients read it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use std::borrow::Cow;

use crate::error::{Category, JobError, ResourceShortfall};
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
    Failed(Box<PipelineFailure>),
}

/// The failure that a run is reported with: the first one.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineFailure {
    /// Why, and who can mend it.
    pub error: JobError,
    /// The stage that failed, counted from 1 as in `stages_executed`.
    pub stage_failed: usize,
    /// What the finished stages came to.
    pub partial_result: Value,
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
                let PipelineFailure { error, stage_failed, partial_result } = &**failure;
                map.serialize_entry("ok", &false)?;
                map.serialize_entry("error", &error.message)?;
                map.serialize_entry("error_type", &error.error_type)?;
                map.serialize_entry("category", &error.category)?;
                map.serialize_entry("retriable", &error.retriable)?;
                map.serialize_entry("stage_failed", stage_failed)?;
                map.serialize_entry("partial_result", partial_result)?;
                some(&mut map, "fields_invalid", error.fields_invalid.as_ref())?;
                some(&mut map, "resource_shortfall", error.resource_shortfall.as_ref())?;
                some(&mut map, "retry_after_seconds", error.retry_after_seconds.as_ref())?;
                some(&mut map, "original_exc_repr", error.original_exc_repr.as_ref())?;
                some(&mut map, "traceback", error.traceback.as_ref())?;
                some(&mut map, "exit_reason", error.exit_reason.as_ref())?;
            }
        }
        map.end()
    }
}

/// What is not there is left out.
fn some<M: SerializeMap>(map: &mut M, name: &str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

impl JsonSchema for PipelineResult {
    fn schema_name() -> Cow<'static, str> {
        "PipelineResult".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (category, exit) =
            (generator.subschema_for::<Category>(), generator.subschema_for::<ExitReason>());
        let shortfall = generator.subschema_for::<ResourceShortfall>();
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
                        "category": category, "retriable": {"type": "boolean"},
                        "stage_failed": {"type": "integer", "minimum": 1}, "partial_result": {},
                        "fields_invalid": {"type": "array", "items": {"type": "string"}},
                        "resource_shortfall": shortfall, "retry_after_seconds": {"type": "number"},
                        "original_exc_repr": {"type": "string"}, "traceback": {"type": "string"}, "exit_reason": exit
                    },
                    "required": ["ok", "error", "error_type", "category", "retriable", "stage_failed", "partial_result"],
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
        let of = |error: JobError| {
            let partial_result = json!({"a": 1});
            PipelineResult::Failed(Box::new(PipelineFailure { error, stage_failed: 2, partial_result }))
        };
        let died =
            JobError { exit_reason: Some(Box::new(ExitReason::ExitCode { code: 3 })), ..error.clone() };
        let told = JobError { original_exc_repr: Some("ValueError()".into()), ..error.clone() }
            .with_fields(vec!["page".to_owned()]);
        let with = |more: Value| {
            let mut expected = json!({
                "ok": false, "error": "no such page", "error_type": "ValueError", "category": "user_input",
                "retriable": true, "stage_failed": 2, "partial_result": {"a": 1}
            });
            expected.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            expected
        };
        for (result, expected) in [
            (
                PipelineResult::Done { result: json!({"a": 1}), stages_executed: 3 },
                json!({"ok": true, "result": {"a": 1}, "stages_executed": 3}),
            ),
            (of(error), with(json!({}))),
            (of(told), with(json!({"fields_invalid": ["page"], "original_exc_repr": "ValueError()"}))),
            (of(died), with(json!({"exit_reason": {"kind": "exit_code", "code": 3}}))),
        ] {
            assert_eq!(serde_json::to_value(&result).unwrap(), expected);
        }
    }
}
