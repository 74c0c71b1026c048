//! JSON-RPC 2.0: its frame and its errors.
//!
//! Owns codes and statuses. Must not know methods.

use crate::openapi::{Docs, running};
use crate::problem::{Code, Problem};
use aide::transform::TransformOperation;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

const PARSE: i32 = -32700;
const REQUEST: i32 = -32600;
const METHOD: i32 = -32601;
const PARAMS: i32 = -32602;
const INTERNAL: i32 = -32603;

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct RpcError {
    /// -32700 no JSON, -32600 no call, -32601 no such method, -32602 something in `params`, -32603 it failed.
    code: i32,
    /// In one sentence.
    message: String,
    /// `error_type` and `category` of a tool that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl RpcError {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(super) fn method(name: &str) -> Self {
        Self::new(METHOD, format!("there is no method `{}`", name.chars().take(100).collect::<String>()))
    }

    pub(super) fn params(message: impl Into<String>) -> Self {
        Self::new(PARAMS, message)
    }

    pub(super) fn internal(message: &str) -> Self {
        Self::new(INTERNAL, message)
    }

    pub(super) fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }
}

/// A call.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    /// `None`: nobody wants an answer.
    pub(super) id: Option<Value>,
    pub(super) method: String,
    /// What is wrong with them is told to whoever called: the call itself is one.
    pub(super) params: Result<Map<String, Value>, RpcError>,
}

/// The call that a body is.
pub(super) fn call(body: Result<Value, Problem>) -> Result<Call, RpcError> {
    let body = body.map_err(|problem| RpcError::new(PARSE, problem.detail()))?;
    let Value::Object(mut body) = body else {
        return Err(RpcError::new(REQUEST, "a call is one object; several at once are not taken"));
    };
    if body.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(RpcError::new(REQUEST, "`jsonrpc` must be \"2.0\""));
    }
    let id = body.remove("id");
    if matches!(id, Some(Value::Bool(_) | Value::Array(_) | Value::Object(_))) {
        return Err(RpcError::new(REQUEST, "`id` must be a text or a number"));
    }
    let Some(Value::String(method)) = body.remove("method") else {
        return Err(RpcError::new(REQUEST, "`method` is missing"));
    };
    let params = match body.remove("params") {
        Some(Value::Object(params)) => Ok(params),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(RpcError::params("`params` must be an object")),
    };
    Ok(Call { id, method, params })
}

/// The answer to something that is no call.
pub(super) fn refused(error: &RpcError) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": null, "error": error});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// The answer to a call; a call without an id has none.
pub(super) fn answer(id: Option<Value>, answered: Result<Value, RpcError>) -> Response {
    let Some(id) = id else { return StatusCode::NO_CONTENT.into_response() };
    let body = match answered {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
    };
    Json(body).into_response()
}

/// A call.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes the body; what is wrong with one is told in words of its own")]
struct RpcCall {
    /// Always `2.0`.
    #[schemars(extend("const" = "2.0"))]
    jsonrpc: String,
    /// Comes back with the answer; without one there is no answer.
    #[schemars(extend("type" = ["string", "number", "null"]), skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    /// `initialize`, `ping`, `tools/list`, `tools/call`, `resources/list` or `resources/read`.
    method: String,
    /// What the method takes, by name.
    #[schemars(skip_serializing_if = "Option::is_none")]
    params: Option<Map<String, Value>>,
}

/// The answer to a call: `result` or `error`.
#[derive(Debug, Serialize, JsonSchema)]
struct RpcAnswer {
    /// Always `2.0`.
    jsonrpc: String,
    /// That of the call.
    id: Value,
    /// What it brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    /// Why it brought nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RpcError>,
}

const ABOUT: &str = "\
JSON-RPC 2.0. Each plugin that takes calls and has a tool for an image is a tool: `tools/call` takes its `name` and, in `arguments`, an `image` (base64 or a \
data URL; nothing is fetched) and `options`, whose `tool` says which of the plugin's tools, unless it has only one. The others \
are its options.";

pub(crate) fn mcp_docs(op: TransformOperation) -> TransformOperation {
    let example = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    running(op, "callMcp", "Plugins as tools of the Model Context Protocol")
        .description(ABOUT)
        .tag("compat")
        .json_body::<RpcCall>(example)
        .response_with::<200, Json<RpcAnswer>, _>(|r| r.description("The answer, also that it went wrong"))
        .response_with::<204, (), _>(|r| r.description("It had no `id`"))
        .response_with::<400, Json<RpcAnswer>, _>(|r| r.description("It is no JSON, or no call"))
        .problems(&[Code::BodyTooLarge, Code::BodyTimeout, Code::WrongContentType, Code::Internal])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: &Result<(Option<Value>, &str), i32>) {
        let read = call(Ok(body.clone()));
        let found = read.as_ref().map(|call| (call.id.clone(), call.method.as_str())).map_err(|e| e.code);
        assert_eq!(&found, expected, "{body}");
    }

    #[test]
    fn a_body_is_a_call_or_says_why_not() {
        check(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}), &Ok((Some(json!(1)), "ping")));
        check(&json!({"jsonrpc": "2.0", "method": "ping", "params": null}), &Ok((None, "ping")));
        check(&json!({"jsonrpc": "2.0", "id": null, "method": "ping"}), &Ok((Some(Value::Null), "ping")));
        for wrong in [
            json!([]),
            json!({}),
            json!({"jsonrpc": "1.0", "method": "ping"}),
            json!({"jsonrpc": "2.0", "id": 1}),
            json!({"jsonrpc": "2.0", "id": [], "method": "ping"}),
        ] {
            check(&wrong, &Err(REQUEST));
        }
        let no_json = call(run_parse("{"));
        assert_eq!(no_json.unwrap_err().code, PARSE);
    }

    fn run_parse(text: &str) -> Result<Value, Problem> {
        crate::run::parse(text.as_bytes())
    }
}
