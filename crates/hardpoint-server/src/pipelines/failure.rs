//! What is wrong with a pipeline, as what a caller reads.

use crate::problem::{Code, Mistake, Problem};
use hardpoint_engine::jobs;
use hardpoint_model::Pipeline;
use hardpoint_model::pipeline::of_value;
use serde_json::Value;

/// The definition that stands at `at` in a body, or everything that is wrong with its form.
pub(crate) fn definition(value: Value, at: &str) -> Result<Pipeline, Problem> {
    of_value(value).map_err(|errors| {
        let detail = errors.first().map_or_else(String::new, |error| error.message.clone());
        let hint = errors.iter().find_map(|error| error.hint.clone());
        let mistakes =
            errors.into_iter().map(|error| Mistake::at(format!("{at}{}", error.pointer), error.message));
        let problem = Problem::new(Code::BadBody, detail).errors(mistakes.collect());
        problem.hint(hint.unwrap_or_else(|| "docs/reference/pipelines.md describes every field".to_owned()))
    })
}

/// A definition that is well formed and cannot work. `at`: where it stands in the body.
pub(crate) fn mistakes(found: Vec<jobs::Mistake>, at: &str) -> Problem {
    let detail = found.first().map_or_else(String::new, |mistake| mistake.message.clone());
    let hint = found.first().map_or_else(String::new, |mistake| mistake.hint.clone());
    let mistakes = found.into_iter().map(|mistake| Mistake {
        pointer: format!("{at}{}", mistake.pointer),
        detail: mistake.message,
        hint: Some(mistake.hint),
    });
    Problem::new(Code::PipelineInvalid, detail).hint(hint).errors(mistakes.collect())
}

pub(super) fn unknown(id: &str) -> Problem {
    Problem::new(Code::UnknownPipeline, format!("there is no pipeline `{id}`"))
        .hint("`GET /v1/pipelines` lists them")
}
