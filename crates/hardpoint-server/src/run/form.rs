//! Forms: `args` as JSON, and each binary argument as a part of its own.

use super::arguments::{Order, PLACE, may_hold_markers, misfit, parse, timeout, to_payload};
use super::aside::aside;
use super::body::Bounded;
use crate::limits::PARTS_MAX;
use crate::problem::{Code, Problem};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use hardpoint_wire::document::escaped;
use hardpoint_wire::{Blob, Payload};
use multer::{Field, Multipart};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const ARGS: &str = "args";
const TIMEOUT: &str = "timeout_seconds";

/// Reads a form.
pub(super) async fn read(body: Bounded, boundary: String) -> Result<Order, Problem> {
    with_parts(body, boundary, parts).await
}

/// Where the parts of a form end, as its header says.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<String, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(Problem::new(Code::WrongContentType, format!("the body is `{kind}`, and no form"))
            .hint("send `Content-Type: multipart/form-data`"));
    }
    multer::parse_boundary(kind)
        .map_err(|e| Problem::new(Code::BadForm, format!("the content type names no boundary: {e}")))
}

/// Reads the parts of a form. What went wrong with the body is told as it is, not as the form's reader would.
pub(crate) async fn with_parts<T, F>(
    body: Bounded,
    boundary: String,
    read: impl FnOnce(Multipart<'static>) -> F,
) -> Result<T, Problem>
where
    F: Future<Output = Result<T, Problem>> + Send,
{
    let trouble = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&trouble);
    let bytes = stream::unfold(Some((body, noted)), |state| async {
        let (mut body, noted) = state?;
        match body.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some((body, noted)))),
            Ok(None) => None,
            Err(problem) => {
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
                Some((Err(std::io::Error::other("the body broke off")), None))
            }
        }
    });
    let read = read(Multipart::new(bytes, boundary)).await;
    let trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
    trouble.map_or(read, Err)
}

async fn parts(mut form: Multipart<'static>) -> Result<Order, Problem> {
    let mut fields: BTreeMap<String, Payload> = BTreeMap::new();
    let mut patience: Option<Duration> = None;
    let mut count = 0;
    while let Some(part) = form.next_field().await.map_err(|e| unreadable(&e))? {
        count += 1;
        if count > PARTS_MAX {
            return Err(Problem::new(Code::BadForm, format!("a form may have {PARTS_MAX} parts")));
        }
        let Some(name) = part.name().map(str::to_owned).filter(|name| !name.is_empty()) else {
            return Err(Problem::new(Code::BadForm, "a part of the form has no name"));
        };
        let bytes = content(part).await?;
        match name.as_str() {
            ARGS => {
                for (name, value) in arguments(&bytes)? {
                    put(&mut fields, name, value)?;
                }
            }
            TIMEOUT => patience = of_text(&bytes)?,
            _ => {
                let blob = aside(bytes.len(), || Blob::new(bytes)).await?.map_err(|e| {
                    Problem::new(Code::Internal, format!("`{name}` cannot be passed on: {e}"))
                })?;
                put(&mut fields, name, Payload::blob(blob))?;
            }
        }
    }
    Ok(Order { args: Payload::object(fields), timeout: patience })
}

fn put(fields: &mut BTreeMap<String, Payload>, name: String, value: Payload) -> Result<(), Problem> {
    if fields.contains_key(&name) {
        return Err(misfit(&format!("/args/{}", escaped(&name)), &format!("`{name}` comes twice")));
    }
    fields.insert(name, value);
    Ok(())
}

async fn content(mut part: Field<'_>) -> Result<Bytes, Problem> {
    let mut all = BytesMut::new();
    while let Some(bytes) = part.chunk().await.map_err(|e| unreadable(&e))? {
        all.extend_from_slice(&bytes);
    }
    Ok(all.freeze())
}

fn arguments(text: &[u8]) -> Result<Vec<(String, Payload)>, Problem> {
    let Value::Object(args) = parse(text)? else {
        return Err(misfit("/args", "`args` must be an object: the arguments by name"));
    };
    if !may_hold_markers(text) {
        let plain = |value| Payload { value, blobs: Vec::new() };
        return Ok(args.into_iter().map(|(name, value)| (name, plain(value))).collect());
    }
    let fields = to_payload(Value::Object(args), PLACE)?.into_fields();
    Ok(fields.unwrap_or_default())
}

fn of_text(text: &[u8]) -> Result<Option<Duration>, Problem> {
    timeout(&serde_json::from_slice(text).unwrap_or(Value::from("")))
}

pub(crate) fn unreadable(error: &multer::Error) -> Problem {
    Problem::new(Code::BadForm, format!("the form cannot be read: {error}"))
        .hint("let your client make the form: it knows how parts are separated")
}
