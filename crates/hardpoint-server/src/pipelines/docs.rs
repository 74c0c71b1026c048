//! What is said about the routes of saved pipelines.

use super::look::PipelineView;
use super::save::Checked;
use crate::openapi::{Docs, reading, working};
use crate::problem::Code;
use aide::transform::TransformOperation;
use axum::Json;
use hardpoint_model::Pipeline;
use serde_json::{Value, json};

const STORE: [Code; 4] = [Code::HostBusy, Code::HostStopping, Code::StoreUnavailable, Code::Internal];
const BODY: [Code; 5] =
    [Code::BodyTooLarge, Code::BodyTimeout, Code::WrongContentType, Code::BadJson, Code::BadBody];

fn example() -> Value {
    json!({"name": "read-page", "stages": [
        {"plugin": "scan", "tool": "clean"},
        {"plugin": "ocr", "tool": "read", "config": {"language": "en"}, "retries": 2}
    ]})
}

pub(crate) fn list_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "listPipelines", "All saved pipelines")
        .tag("pipelines")
        .response::<200, Json<Vec<PipelineView>>>()
        .problems(&STORE)
}

pub(crate) fn show_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPipeline", "One saved pipeline")
        .tag("pipelines")
        .response::<200, Json<PipelineView>>()
        .problems(&[Code::BadPath, Code::BadQuery, Code::UnknownPipeline])
        .problems(&STORE)
}

pub(crate) fn create_docs(op: TransformOperation) -> TransformOperation {
    working(op, "createPipeline", "Save a pipeline")
        .tag("pipelines")
        .description(
            "It is checked first: that its plugins and tools exist, and that what a stage returns fits what the next one \
             takes, as far as their schemas say. Without a `name` it is given one.",
        )
        .json_body::<Pipeline>(example())
        .response_with::<201, Json<PipelineView>, _>(|r| r.description("It is kept"))
        .response_with::<200, Json<Checked>, _>(|r| r.description("It could be saved, and is not"))
        .problems(&BODY)
        .problems(&STORE)
        .problems(&[Code::BadQuery, Code::PipelineInvalid, Code::PipelineExists, Code::QueueFull])
}

pub(crate) fn replace_docs(op: TransformOperation) -> TransformOperation {
    working(op, "replacePipeline", "Save the next version of a pipeline")
        .tag("pipelines")
        .description("Runs that were begun keep the version that they began with.")
        .json_body::<Pipeline>(example())
        .response_with::<200, Json<PipelineView>, _>(|r| r.description("It is kept"))
        .problems(&BODY)
        .problems(&STORE)
        .problems(&[Code::BadPath, Code::UnknownPipeline, Code::PipelineInvalid, Code::QueueFull])
}

pub(crate) fn delete_docs(op: TransformOperation) -> TransformOperation {
    working(op, "deletePipeline", "Forget a saved pipeline")
        .tag("pipelines")
        .description("Its runs go on, and stay.")
        .response_with::<204, (), _>(|r| r.description("It is not kept any more"))
        .problems(&[Code::BadPath, Code::UnknownPipeline])
        .problems(&STORE)
}
