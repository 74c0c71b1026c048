//! What is said about jobs with images and videos.

use super::media::{Queued, Uploaded, VideoJob, VideoQueued};
use crate::openapi::{Docs, media, working};
use crate::problem::Code;
use aide::openapi::{ReferenceOr, RequestBody};
use aide::transform::TransformOperation;
use axum::Json;
use indexmap::IndexMap;
use schemars::json_schema;
use serde_json::json;

/// What handing in a file can end in.
const FILE: [Code; 6] = [
    Code::BodyTooLarge,
    Code::BodyTimeout,
    Code::WrongContentType,
    Code::BadForm,
    Code::BadQuery,
    Code::WrongMedium,
];
/// What choosing tools and handing in a job can end in.
const JOB: [Code; 13] = [
    Code::PluginNotFound,
    Code::ToolNotFound,
    Code::ToolsUnclear,
    Code::ToolUnfit,
    Code::PluginUnavailable,
    Code::PluginDisabled,
    Code::ArgumentsTooLarge,
    Code::PipelineInvalid,
    Code::QueueFull,
    Code::HostBusy,
    Code::HostStopping,
    Code::StoreUnavailable,
    Code::Internal,
];

pub(crate) fn image_docs(op: TransformOperation) -> TransformOperation {
    let op = working(op, "submitImage", "Hand in a job about an image")
        .description(
            "One job, with a stage for each tool. The tools are given `image_bytes`. The plugin must be up: clients of \
             other hosts do not look for jobs that wait.",
        )
        .tag("compat")
        .response_with::<200, Json<Queued>, _>(|r| r.description("It is kept"));
    file(op, "A PNG or a JPEG.").problems(&FILE).problems(&JOB)
}

pub(crate) fn video_docs(op: TransformOperation) -> TransformOperation {
    let op = working(op, "submitVideo", "Hand in a job about a video")
        .description(
            "The tools are given `video_path`, a file that is kept until the job is over, and \
             `progress_callback`.",
        )
        .tag("compat")
        .response_with::<200, Json<Queued>, _>(|r| r.description("It is kept"));
    file(op, "An MP4.").problems(&FILE).problems(&JOB)
}

pub(crate) fn upload_docs(op: TransformOperation) -> TransformOperation {
    let op = working(op, "uploadVideo", "Hand in a video")
        .description("It is kept for an hour, and as long as a job wants it.")
        .tag("compat")
        .response::<200, Json<Uploaded>>();
    let more = [
        Code::PluginNotFound,
        Code::QueueFull,
        Code::HostBusy,
        Code::HostStopping,
        Code::StoreUnavailable,
        Code::Internal,
    ];
    file(op, "An MP4.").problems(&FILE).problems(&more)
}

pub(crate) fn video_job_docs(op: TransformOperation) -> TransformOperation {
    let example = json!({"plugin_id": "tracker", "video_path": "uploads/01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11.mp4",
        "lockedTools": ["track"]});
    working(op, "submitUploadedVideo", "Hand in a job about a video that was handed in")
        .tag("compat")
        .json_body::<VideoJob>(example)
        .response::<200, Json<VideoQueued>>()
        .problems(&[
            Code::BodyTooLarge,
            Code::BodyTimeout,
            Code::WrongContentType,
            Code::BadJson,
            Code::BadBody,
        ])
        .problems(&[Code::WrongMedium])
        .problems(&JOB)
}

fn file<'t>(mut op: TransformOperation<'t>, about: &str) -> TransformOperation<'t> {
    let form = json_schema!({
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "contentMediaType": "application/octet-stream", "description": about}
        }
    });
    let content = IndexMap::from_iter([("multipart/form-data".to_owned(), media(form, None))]);
    let body = RequestBody { content, required: true, ..RequestBody::default() };
    op.inner_mut().request_body = Some(ReferenceOr::Item(body));
    op
}
