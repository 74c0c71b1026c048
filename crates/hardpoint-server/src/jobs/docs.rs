//! What is said about the routes of jobs.

use super::follow::LAST_EVENT_ID;
use super::look::{JobsAnswer, ResultAnswer};
use super::pipeline::PipelineState;
use super::stats::StatsAnswer;
use super::steer::ReorderRequest;
use super::submit::{KEY_HEADER, SubmitRequest, Submitted};
use crate::compat::ShownJob;
use crate::limits::{EVENT_NUMBER_MAX, IDEMPOTENCY_KEY_CHARS_MAX};
use crate::openapi::{Docs, media, reading, schema_of, working};
use crate::problem::Code;
use aide::openapi::{ReferenceOr, Response, StatusCode};
use aide::transform::TransformOperation;
use axum::Json;
use hardpoint_model::job::{Event, Job, Notice};
use hardpoint_model::pipeline::PipelineMessage;
use indexmap::IndexMap;
use schemars::{Schema, json_schema};
use serde_json::json;

/// What any request for one job can end in.
pub(crate) const ONE_JOB: [Code; 6] = [
    Code::BadPath,
    Code::BadJobId,
    Code::UnknownJob,
    Code::HostBusy,
    Code::HostStopping,
    Code::StoreUnavailable,
];
/// What a body of JSON can end in.
const BODY: [Code; 5] =
    [Code::BodyTooLarge, Code::BodyTimeout, Code::WrongContentType, Code::BadJson, Code::BadBody];
/// What the store can end in.
const STORE: [Code; 4] = [Code::HostBusy, Code::HostStopping, Code::StoreUnavailable, Code::Internal];

pub(crate) fn submit_docs(op: TransformOperation) -> TransformOperation {
    let example = json!({"plugin_id": "well", "tool_name": "echo", "args": {"text": "hello"}, "priority": 5});
    let key = json_schema!({"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARS_MAX,
        "pattern": "^[!-~]+$"});
    working(op, "submitJob", "Hand in a job")
        .description(
            "Once this is answered the job is on disk: it runs when the plugin has a place for it, also when the \
             host is killed meanwhile. A job with the idempotency key of an earlier one is that one.",
        )
        .header_field(KEY_HEADER, "A name for this submission; overrules `idempotency_key` of the body.", key)
        .json_body::<SubmitRequest>(example)
        .response_with::<202, Json<Submitted>, _>(|r| {
            r.description("It is kept; the field `Location` of the header says where to look at it")
        })
        .problems(&BODY)
        .problems(&STORE)
        .problems(&[
            Code::BadHeader,
            Code::PluginNotFound,
            Code::ToolNotFound,
            Code::InvalidArgument,
            Code::ArgumentsInvalid,
            Code::ArgumentsTooLarge,
            Code::PluginDisabled,
            Code::PipelineNotFound,
            Code::PipelineInvalid,
            Code::QueueFull,
        ])
}

pub(crate) fn list_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "listJobs", "Some of the jobs, newest first")
        .tag("jobs")
        .response::<200, Json<JobsAnswer>>()
        .problems(&[Code::BadQuery])
        .problems(&STORE)
}

pub(crate) fn stats_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getJobStats", "How many jobs there are and were")
        .tag("jobs")
        .response::<200, Json<StatsAnswer>>()
        .problems(&STORE)
}

pub(crate) fn show_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getJob", "One job").tag("jobs").response::<200, Json<ShownJob>>().problems(&ONE_JOB)
}

pub(crate) fn result_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getJobResult", "What a job brought")
        .tag("jobs")
        .description(
            "With `Accept: application/octet-stream` a result that is nothing but binary data comes as it is. That of a job \
             about an image or a video has the fields of other hosts beside its own; with `mode` it has only those.",
        )
        .response_with::<200, Json<ResultAnswer>, _>(|mut r| {
            let bytes = json_schema!({"type": "string", "contentMediaType": "application/octet-stream"});
            r.inner().content.insert("application/octet-stream".to_owned(), media(bytes, None));
            r.description("What the tool of its last stage returned")
        })
        .problems(&ONE_JOB)
        .problems(&[Code::BadQuery, Code::ResultNotReady, Code::NoResult, Code::Internal])
}

pub(crate) fn cancel_docs(op: TransformOperation) -> TransformOperation {
    working(op, "cancelJob", "Ask a job to end")
        .description(
            "What waits is over at once. What runs is asked to stop, and made to after a while: its events and \
             `cancel_phase` tell how far that is. A job that finishes all the same is completed.",
        )
        .response_with::<202, Json<Job>, _>(|r| r.description("The wish is on disk; the job so far"))
        .problems(&ONE_JOB)
        .problems(&[Code::JobOver, Code::QueueFull])
}

pub(crate) fn rerun_docs(op: TransformOperation) -> TransformOperation {
    let key = json_schema!({"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARS_MAX,
        "pattern": "^[!-~]+$"});
    working(op, "rerunJob", "Run what is left of a failed job")
        .description(
            "A new job, which begins with what the finished stages of the failed one brought. The failed one stays as it \
             is.",
        )
        .header_field(KEY_HEADER, "A name for this submission.", key)
        .response_with::<202, Json<Submitted>, _>(|r| {
            r.description("It is kept; the field `Location` of the header says where to look at it")
        })
        .problems(&ONE_JOB)
        .problems(&[
            Code::BadHeader,
            Code::JobNotFailed,
            Code::NoResult,
            Code::PluginNotFound,
            Code::PluginDisabled,
            Code::PipelineInvalid,
            Code::QueueFull,
            Code::Internal,
        ])
}

pub(crate) fn pipeline_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getJobPipeline", "How far each stage of a job is")
        .tag("jobs")
        .response::<200, Json<PipelineState>>()
        .problems(&ONE_JOB)
}

pub(crate) fn reorder_docs(op: TransformOperation) -> TransformOperation {
    working(op, "reorderJob", "Give a pending job another priority")
        .json_body::<ReorderRequest>(json!({"priority": 10}))
        .response_with::<200, Json<Job>, _>(|r| r.description("It is done; the job afterwards"))
        .problems(&ONE_JOB)
        .problems(&BODY)
        .problems(&[Code::JobOver, Code::JobNotPending, Code::QueueFull])
}

pub(crate) fn wait_docs(op: TransformOperation) -> TransformOperation {
    working(op, "waitForJob", "Wait until a job is over")
        .description("200 with the job as it is then, over or not; also when the host is stopping.")
        .response::<200, Json<Job>>()
        .problems(&ONE_JOB)
        .problems(&[Code::BadQuery])
}

const STREAM: &str = "\
Server-sent events, or one event a line with `Accept: application/x-ndjson`. The `id` of each is its number: whoever \
comes back with `Last-Event-ID` or `since` misses nothing and sees nothing twice, also when the host was started \
anew meanwhile. A comment or an empty line is a sign of life. A request that asks for a WebSocket gets one: each message \
is what a line is, a ping is a sign of life, and the close frame says why it ends. Whoever takes nothing of what it is \
sent for 10 s is dropped, and may come back.";

pub(crate) fn events_docs(op: TransformOperation) -> TransformOperation {
    let op = reading(op, "followEvents", "Follow what happens to jobs").description(STREAM).tag("jobs");
    streamed(op).problems(&[Code::BadQuery, Code::BadHeader, Code::HostBusy])
}

pub(crate) fn realtime_docs(op: TransformOperation) -> TransformOperation {
    let about = format!(
        "What runs of pipelines say while they go on: the payloads of events of type PIPELINE_MESSAGE, without the \
         event around them. {STREAM}"
    );
    let op = reading(op, "followPipelines", "Follow what runs of pipelines say")
        .description(&about)
        .tag("pipelines");
    streamed_as(op, &schema_of::<PipelineMessage>()).problems(&[
        Code::BadQuery,
        Code::BadHeader,
        Code::HostBusy,
        Code::HostStopping,
        Code::StoreUnavailable,
    ])
}

pub(crate) fn job_events_docs(op: TransformOperation) -> TransformOperation {
    let op = reading(op, "followJobEvents", "Follow what happens to one job")
        .description(&format!("{STREAM}\n\nIt ends when the job is over."))
        .tag("jobs");
    streamed(op).problems(&ONE_JOB).problems(&[Code::BadQuery, Code::BadHeader])
}

fn streamed(op: TransformOperation) -> TransformOperation {
    streamed_as(op, &schema_of::<Event>())
}

fn streamed_as<'t>(op: TransformOperation<'t>, document: &Schema) -> TransformOperation<'t> {
    let number = json_schema!({"type": "integer", "minimum": 0, "maximum": EVENT_NUMBER_MAX});
    let mut op = op.header_field(LAST_EVENT_ID, "The number of the last event that was seen.", number);
    let framed = json_schema!({
        "type": "object",
        "description": "Each event; its data is one object as in NDJSON.",
        "properties": {
            "id": {"type": "string", "description": "The event's number."},
            "event": {"type": "string", "description": "The event's type."},
            "data": {"type": "string", "contentMediaType": "application/json"}
        }
    });
    let line = json_schema!({"anyOf": [document, schema_of::<Notice>()]});
    let response = Response {
        description: "Events as they happen".to_owned(),
        content: IndexMap::from_iter([
            ("text/event-stream".to_owned(), media(framed, None)),
            ("application/x-ndjson".to_owned(), media(line, None)),
        ]),
        ..Response::default()
    };
    let responses = &mut op.inner_mut().responses.get_or_insert_default().responses;
    responses.insert(StatusCode::Code(200), ReferenceOr::Item(response));
    let socket = Response {
        description: "It was asked for a WebSocket; one event a message, what is wrong with the query too"
            .to_owned(),
        ..Response::default()
    };
    responses.insert(StatusCode::Code(101), ReferenceOr::Item(socket));
    op
}
