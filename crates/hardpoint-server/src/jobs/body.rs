//! Bodies of requests about jobs: JSON objects whose fields are named and typed one by one.
//!
//! Owns how a mistake in a body is told. Must not know what the fields are for.

use crate::problem::{Code, Problem};
use crate::run::{Bounded, misfit, parse};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, header};
use hardpoint_wire::document::escaped;
use serde_json::{Map, Value};

/// All of a JSON body.
pub(crate) async fn read_json(request: Request<Body>, max: usize) -> Result<Value, Problem> {
    let (_, text) = read(request, max).await?;
    parse(&text)
}

/// All of a JSON body, with the header it came with.
pub(crate) async fn read(request: Request<Body>, max: usize) -> Result<(HeaderMap, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let text = Bounded::new(body, &parts.headers, max)?.read().await?;
    Ok((parts.headers, text))
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if name == "application/json" || (name.starts_with("application/") && name.ends_with("+json")) {
        return Ok(());
    }
    let detail = match name.as_str() {
        "" => "the request does not say what its body is".to_owned(),
        other => format!("the body is `{other}`"),
    };
    Err(Problem::new(Code::WrongContentType, detail).hint("send `Content-Type: application/json`"))
}

/// The fields of a body that are not taken out yet.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn of(text: &[u8]) -> Result<Self, Problem> {
        match parse(text)? {
            Value::Object(fields) => Ok(Self(fields)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(misfit("", "the body must be an object"))
            }
        }
    }

    /// Any value but null, if there is one.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// An object, if there is one.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, Problem> {
        match self.value(name) {
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(misfit(&format!("/{name}"), &format!("`{name}` must be an object"))),
            None => Ok(None),
        }
    }

    /// A text of 1 to `max` characters, if there is one.
    pub(crate) fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, Problem> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if fits(&text, max) => Ok(Some(text)),
            Some(_) => {
                Err(misfit(&format!("/{name}"), &format!("`{name}` must be a text of 1 to {max} characters")))
            }
        }
    }

    pub(crate) fn needed_text(&mut self, name: &str, max: usize) -> Result<String, Problem> {
        self.text(name, max)?.ok_or_else(|| missing(name))
    }

    /// A whole number, if there is one; `1.0` is one in JSON.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<i32>, Problem> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let whole = value.as_i64().and_then(|number| i32::try_from(number).ok());
        whole.or_else(|| value.as_f64().and_then(whole_number)).map(Some).ok_or_else(|| {
            let (min, max) = (i32::MIN, i32::MAX);
            misfit(&format!("/{name}"), &format!("`{name}` must be a whole number from {min} to {max}"))
        })
    }

    pub(crate) fn needed_number(&mut self, name: &str) -> Result<i32, Problem> {
        self.number(name)?.ok_or_else(|| missing(name))
    }

    /// Nothing may be left that nobody knows.
    pub(crate) fn end(self, known: &str) -> Result<(), Problem> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(misfit(
                &format!("/{}", escaped(name)),
                &format!("`{name}` is not known; there are {known}"),
            )),
        }
    }
}

/// Whether a text has 1 to `max` characters.
pub(super) fn fits(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max * 4 && text.chars().count() <= max
}

pub(super) fn missing(name: &str) -> Problem {
    misfit(&format!("/{name}"), &format!("`{name}` is missing"))
}

#[expect(clippy::cast_possible_truncation, reason = "it is whole and within the bounds")]
fn whole_number(number: f64) -> Option<i32> {
    let within = number >= f64::from(i32::MIN) && number <= f64::from(i32::MAX);
    (within && number.fract() == 0.0).then_some(number as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_within_their_bounds() {
        let cases = [
            ("1", Some(1)),
            ("-2147483648", Some(i32::MIN)),
            ("2147483648", None),
            ("1.0", Some(1)),
            ("1e3", Some(1000)),
            ("1.5", None),
            ("\"1\"", None),
            ("true", None),
        ];
        for (text, expected) in cases {
            let mut fields = Fields::of(format!("{{\"n\": {text}}}").as_bytes()).unwrap();
            assert_eq!(fields.needed_number("n").ok(), expected, "{text}");
        }
        assert_eq!(Fields::of(b"{\"n\": null}").unwrap().number("n").unwrap(), None);
    }

    #[test]
    fn only_json_is_read() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(check_type(&headers).is_ok(), expected, "{kind:?}");
        }
    }
}
