//! What is said about the run route, whose bodies come in several forms.

use super::operation::{Docs as _, media, running, schema_of};
use crate::problem::{Code, FailedRun};
use crate::run::{Event, RunDone, RunRequest};
use aide::openapi::{ReferenceOr, RequestBody, Response, StatusCode};
use aide::transform::TransformOperation;
use indexmap::IndexMap;
use schemars::json_schema;
use serde_json::json;

const ABOUT: &str = "\
Arguments come as JSON, with `{\"$bytes\": \"BASE64\"}` for binary data, or as a form with a part `args` (JSON) and \
one part for each binary argument.

The answer is one document; for a streaming tool it holds the `items` too, up to 10,000 of them and 16 MiB. With \
`Accept: application/x-ndjson` or `text/event-stream` items, progress and log lines come as they happen; the last \
event is `result` or `error`. A caller who goes away cancels the call.";

const FAILURES: [Code; 27] = [
    Code::BadPath,
    Code::PluginNotFound,
    Code::ToolNotFound,
    Code::InvalidArgument,
    Code::InputRefused,
    Code::StreamTooLong,
    Code::BodyTimeout,
    Code::ToolTimeout,
    Code::BodyTooLarge,
    Code::ArgumentsTooLarge,
    Code::WrongContentType,
    Code::BadJson,
    Code::BadBody,
    Code::BadForm,
    Code::ArgumentsInvalid,
    Code::PluginBusy,
    Code::Internal,
    Code::ToolFailed,
    Code::MemoryLimitExceeded,
    Code::WorkerCrashed,
    Code::ResultNotSerializable,
    Code::ResourceShortage,
    Code::PluginUnavailable,
    Code::PluginDisabled,
    Code::HostBusy,
    Code::HostStopping,
    Code::BadRequest,
];

/// `POST /v1/plugins/{name}/tools/{tool}/run`
pub(crate) fn run_docs(op: TransformOperation) -> TransformOperation {
    let mut op = running(op, "runTool", "Run a tool").description(ABOUT);
    let operation = op.inner_mut();
    operation.request_body = Some(ReferenceOr::Item(request()));
    let responses = &mut operation.responses.get_or_insert_default().responses;
    responses.insert(StatusCode::Code(200), ReferenceOr::Item(success()));
    op.problems_as::<FailedRun>(&FAILURES)
}

const SOCKET: &str = "\
A WebSocket. Its first message, text or binary, is the JSON body of the POST; after that comes one event a message, the \
same as with `Accept: application/x-ndjson`, and last `result` or `error`, whatever went wrong. The connection closes then. \
A caller who goes away, or sends more, cancels the call. A browser names its token as a subprotocol: \
`hardpoint, bearer.TOKEN`.";

/// `GET /v1/plugins/{name}/tools/{tool}/run`
pub(crate) fn run_socket_docs(op: TransformOperation) -> TransformOperation {
    let mut op = running(op, "runToolOverSocket", "Run a tool over a WebSocket").description(SOCKET);
    op = op.becomes_socket();
    op.problems(&[Code::BadPath, Code::BadHeader, Code::MethodNotAllowed])
}

fn request() -> RequestBody {
    let example =
        json!({"args": {"text": "hello", "image": {"$bytes": "iVBORw0KGgo="}}, "timeout_seconds": 30});
    let form = json_schema!({
        "type": "object",
        "properties": {
            "args": {
                "type": "string",
                "contentMediaType": "application/json",
                "description": "The arguments that are not binary: a JSON object."
            },
            "timeout_seconds": {
                "type": "string",
                "description": "How long the call may take, in seconds; the tool's own limit when absent."
            }
        },
        "additionalProperties": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "A binary argument, by its name."
        }
    });
    RequestBody {
        description: Some("The arguments.".to_owned()),
        content: IndexMap::from_iter([
            ("application/json".to_owned(), media(schema_of::<RunRequest>(), Some(example))),
            ("multipart/form-data".to_owned(), media(form, None)),
        ]),
        required: true,
        ..RequestBody::default()
    }
}

fn success() -> Response {
    let example = json!({
        "ok": true, "result": "hello", "error": null, "error_type": null, "category": null,
        "execution_time_ms": 0.05, "tool_name": "echo", "plugin_id": "well", "processing_time_ms": 0
    });
    let events =
        json_schema!({"type": "string", "description": "Each event's data is one object as in NDJSON."});
    Response {
        description: "It went well".to_owned(),
        content: IndexMap::from_iter([
            ("application/json".to_owned(), media(schema_of::<RunDone>(), Some(example))),
            ("application/x-ndjson".to_owned(), media(schema_of::<Event>(), None)),
            ("text/event-stream".to_owned(), media(events, None)),
        ]),
        ..Response::default()
    }
}
