//! The request of the run route: which arguments, and for how long at most.
//!
//! Owns the shape of the body. Must not know tools: whether arguments fit is theirs to say.

use super::aside::aside;
use super::body::Bounded;
use super::form;
use crate::limits::{CALL_SECONDS_MAX, NESTING_MAX};
use crate::problem::{Code, Mistake, Problem};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, header};
use hardpoint_wire::Payload;
use hardpoint_wire::document::escaped;
use hardpoint_wire::limits::{BLOB_FDS_MAX, BLOBS_MAX};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// Where the arguments of a run stand in its body.
pub(super) const PLACE: &str = "/args";

/// What a tool is run with.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes the body; reading it by hand names the place of a mistake")]
pub(crate) struct RunRequest {
    /// The tool's arguments by name. `{"$bytes": "BASE64"}`, wherever it stands, is binary data.
    args: Map<String, Value>,
    /// How long the call may take; the tool's own limit when absent.
    #[schemars(range(min = 0.001, max = 604_800), skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
}

/// A call to be.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) args: Payload,
    pub(super) timeout: Option<Duration>,
}

/// Reads a request, as JSON or as a form.
pub(super) async fn read(request: Request<Body>, max: usize) -> Result<Order, Problem> {
    let (parts, body) = request.into_parts();
    let kind = Kind::of(&parts.headers)?;
    let body = Bounded::new(body, &parts.headers, max)?;
    match kind {
        Kind::Json => read_text(body.read().await?).await,
        Kind::Form(boundary) => {
            let order = form::read(body, boundary).await?;
            check_blobs(&order.args, PLACE)?;
            Ok(order)
        }
    }
}

enum Kind {
    Json,
    Form(String),
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let text =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "application/json" => Ok(Self::Json),
            json if json.starts_with("application/") && json.ends_with("+json") => Ok(Self::Json),
            "multipart/form-data" => form::boundary(headers).map(Self::Form),
            "" => Err(wrong_type("the request does not say what its body is")),
            other => Err(wrong_type(&format!("the body is `{other}`"))),
        }
    }
}

fn wrong_type(detail: &str) -> Problem {
    Problem::new(Code::WrongContentType, detail)
        .hint("send `Content-Type: application/json` or `multipart/form-data`")
}

/// Reads the text of a request, which must not hold too many binary values.
pub(super) async fn read_text(text: Bytes) -> Result<Order, Problem> {
    aside(text.len(), move || of_json(&text)).await?
}

fn of_json(text: &[u8]) -> Result<Order, Problem> {
    let body = parse(text)?;
    let Value::Object(mut body) = body else {
        return Err(misfit("", "the body must be an object with `args`"));
    };
    let timeout = body.remove("timeout_seconds").map_or(Ok(None), |value| timeout(&value))?;
    let args = match body.remove("args") {
        Some(args @ Value::Object(_)) => args,
        Some(_) => return Err(misfit("/args", "`args` must be an object: the arguments by name")),
        None => return Err(misfit("/args", "`args` is missing; it is an object, `{}` when there are none")),
    };
    if let Some(unknown) = body.keys().next() {
        let detail = format!("`{unknown}` is not known; there are `args` and `timeout_seconds`");
        return Err(misfit(&format!("/{}", escaped(unknown)), &detail));
    }
    Ok(Order { args: checked(args, PLACE, text)?, timeout })
}

/// Arguments from a body of this text as a worker is given them, if they can be. `place`: where they stand in the body.
pub(crate) fn checked(args: Value, place: &str, text: &[u8]) -> Result<Payload, Problem> {
    // Only what holds a dollar can hold a marker; everything else travels as it is.
    if !may_hold_markers(text) {
        return Ok(Payload { value: args, blobs: Vec::new() });
    }
    let args = to_payload(args, place)?;
    check_blobs(&args, place)?;
    Ok(args)
}

/// A JSON document that is not nested deeper than a worker takes.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Problem> {
    let value: Value = serde_json::from_slice(text).map_err(|e| {
        let hint = if text.is_empty() { "send a JSON object" } else { "check the place that is named" };
        Problem::new(Code::BadJson, format!("the body is not JSON: {e}")).hint(hint)
    })?;
    if memchr::memchr2_iter(b'[', b'{', text).take(NESTING_MAX).count() == NESTING_MAX
        && depth(&value) >= NESTING_MAX
    {
        return Err(misfit("", &format!("the body is nested deeper than {NESTING_MAX} levels")));
    }
    Ok(value)
}

pub(super) fn may_hold_markers(text: &[u8]) -> bool {
    memchr::memchr(b'$', text).is_some() || memchr::memmem::find(text, b"\\u0024").is_some()
}

/// A timeout in seconds.
pub(super) fn timeout(value: &Value) -> Result<Option<Duration>, Problem> {
    if value.is_null() {
        return Ok(None);
    }
    let fits = |seconds: &f64| *seconds >= 0.001 && *seconds <= f64::from(CALL_SECONDS_MAX);
    match value.as_f64().filter(fits) {
        Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
        None => Err(misfit(
            "/timeout_seconds",
            &format!("`timeout_seconds` must be a number from 0.001 to {CALL_SECONDS_MAX}"),
        )),
    }
}

pub(crate) fn misfit(pointer: &str, detail: &str) -> Problem {
    Problem::new(Code::BadBody, detail).at(pointer)
}

/// The arguments of a call, with the binary data in them decoded. `place`: where they stand in the body.
pub(super) fn to_payload(args: Value, place: &str) -> Result<Payload, Problem> {
    Payload::from_json(args).map_err(|bad| {
        Problem::new(Code::InvalidArgument, bad.to_string()).at(format!("{place}{}", bad.pointer))
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn check_blobs(args: &Payload, place: &str) -> Result<(), Problem> {
    let shared = args.blobs.iter().filter(|blob| matches!(blob, hardpoint_wire::Blob::Shared(_))).count();
    if args.blobs.len() <= BLOBS_MAX && shared <= BLOB_FDS_MAX {
        return Ok(());
    }
    let detail =
        format!("a call carries {BLOBS_MAX} binary values at most, and {BLOB_FDS_MAX} of 64 KiB and more");
    let mistake = Mistake::at(place, detail);
    Err(Problem::new(Code::ArgumentsTooLarge, mistake.detail.clone()).errors(vec![mistake]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(text: &str) -> Value {
        let problem = of_json(text.as_bytes()).unwrap_err();
        serde_json::to_value(&problem).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_body_is_named_by_its_place() {
        let cases = [
            ("", "bad_json", ""),
            ("{\"args\": {}} x", "bad_json", ""),
            ("{\"args\": {\"a\": NaN}}", "bad_json", ""),
            ("{\"args\": {\"a\": 1e999}}", "bad_json", ""),
            ("[]", "bad_body", ""),
            ("{}", "bad_body", "/args"),
            ("{\"args\": []}", "bad_body", "/args"),
            ("{\"args\": {}, \"a/b\": 1}", "bad_body", "/a~1b"),
            ("{\"args\": {}, \"timeout_seconds\": 0}", "bad_body", "/timeout_seconds"),
            ("{\"args\": {}, \"timeout_seconds\": \"1\"}", "bad_body", "/timeout_seconds"),
            ("{\"args\": {\"a\": [{\"$bytes\": \"!\"}]}}", "invalid_argument", "/args/a/0/$bytes"),
            ("{\"args\": {\"a\": {\"\\u0024bytes\": 1}}}", "invalid_argument", "/args/a/$bytes"),
        ];
        for (text, code, pointer) in cases {
            let problem = refused(text);
            assert_eq!(problem["code"], code, "{text}: {problem:#}");
            let found = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
            assert_eq!(found, pointer, "{text}: {problem:#}");
        }
    }

    #[test]
    fn nesting_is_allowed_up_to_what_a_worker_takes() {
        let nested =
            |levels: usize| format!("{{\"args\":{{\"a\":{}{}}}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(of_json(nested(NESTING_MAX - 3).as_bytes()).is_ok());
        assert_eq!(refused(&nested(NESTING_MAX))["code"], "bad_body");
        assert_eq!(refused(&nested(100_000))["code"], "bad_json");
    }

    #[test]
    fn arguments_arrive_as_they_were_sent() {
        let order = of_json(br#"{"args": {"a": [1, {"b": null}]}, "timeout_seconds": 1.5}"#).unwrap();
        assert_eq!(order.args, Payload::literal(json!({"a": [1, {"b": null}]})));
        assert_eq!(order.timeout, Some(Duration::from_millis(1500)));
        let order = of_json(br#"{"args": {"a": {"$blob": 0}, "b": {"$bytes": "AAE="}}}"#).unwrap();
        assert_eq!(order.args.value, json!({"a": {"$value": {"$blob": 0}}, "b": {"$blob": 0}}));
        assert_eq!(order.args.blobs.len(), 1);
    }
}
