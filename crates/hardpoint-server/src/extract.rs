//! Paths and queries as typed values; what does not fit is a problem document.
//!
//! Must not know routes.

use crate::problem::{Code, Mistake, Problem};
use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hardpoint_model::job::JobId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;

/// The parameters of a path.
pub(crate) struct Path<T>(pub(crate) T);

/// The parameters of a query.
pub(crate) struct Query<T>(pub(crate) T);

/// The same where what is wrong with them is not told at once.
pub(crate) struct Asked<T>(pub(crate) Result<T, Problem>);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        read.map(|path| Self(path.0)).map_err(|e| Problem::new(Code::BadPath, e.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query(parts).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(query(parts)))
    }
}

fn query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Problem> {
    let text = parts.uri.query().unwrap_or_default();
    serde_urlencoded::from_str(text).map_err(|e| {
        let detail = e.to_string();
        let name = wrong_parameter::<T>(text, &detail).unwrap_or_default();
        let quoted = format!("`{name}`");
        let is_named = name.is_empty() || detail.contains(&quoted);
        let detail = if is_named { detail } else { format!("{quoted}: {detail}") };
        let mistake = Mistake::at(format!("/{name}"), detail.clone());
        Problem::new(Code::BadQuery, detail).errors(vec![mistake])
    })
}

/// The parameter that an error is about: the last one of the shortest beginning of the query that brings the same error.
/// The error of a parameter that is missing names it.
fn wrong_parameter<T: DeserializeOwned>(query: &str, error: &str) -> Option<String> {
    let ends = query.match_indices('&').map(|(at, _)| at).chain([query.len()]);
    let ends: Vec<usize> = std::iter::once(0).chain(ends).collect();
    let is_well = |end: &usize| {
        let beginning = query.get(..*end).unwrap_or_default();
        serde_urlencoded::from_str::<T>(beginning).err().is_none_or(|e| e.to_string() != error)
    };
    if error.starts_with("missing field") {
        return error.split('`').nth(1).map(str::to_owned);
    }
    let beginning = query.get(..*ends.get(ends.partition_point(is_well))?)?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(beginning).ok()?;
    pairs.into_iter().next_back().map(|(name, _)| name)
}

/// The wish to make a WebSocket of the connection.
pub(crate) struct Upgrade(pub(crate) WebSocketUpgrade);

impl<S: Send + Sync> OptionalFromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if !wants_socket(&parts.headers) {
            return Ok(None);
        }
        let read = <WebSocketUpgrade as FromRequestParts<S>>::from_request_parts(parts, state).await;
        read.map(|upgrade| Some(Self(upgrade))).map_err(|e| {
            let detail = format!("the connection cannot become a WebSocket: {}", e.body_text());
            Problem::new(Code::BadHeader, detail)
                .hint("a client of RFC 6455, version 13, sends what is needed")
        })
    }
}

/// Whether a request asks for a WebSocket.
pub(crate) fn wants_socket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|wish| wish.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

impl OperationInput for Upgrade {}

impl<T: JsonSchema> OperationInput for Path<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::extract::Path::<T>::operation_input(ctx, operation);
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::extract::Query::<T>::operation_input(ctx, operation);
    }
}

impl<T: JsonSchema> OperationInput for Asked<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Query::<T>::operation_input(ctx, operation);
    }
}

/// Which plugin.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PluginPath {
    /// The plugin's name, or the id of an instance.
    pub(crate) name: String,
}

/// Which job.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct JobPath {
    /// The job's id.
    #[schemars(extend("format" = "uuid"))]
    pub(crate) id: String,
}

impl JobPath {
    pub(crate) fn job(&self) -> Result<JobId, Problem> {
        self.id.parse().map_err(|_| {
            Problem::new(Code::BadJobId, "the id of a job is a UUID, as `POST /v1/jobs` told it").at("/id")
        })
    }
}

/// Which saved pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PipelinePath {
    /// Its name.
    pub(crate) id: String,
}

/// Which tool.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolPath {
    /// The plugin's name, or the id of an instance.
    pub(crate) name: String,
    /// The tool's name.
    pub(crate) tool: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[expect(dead_code, reason = "it is only read")]
        id: String,
        #[expect(dead_code, reason = "it is only read")]
        limit: Option<u32>,
    }

    #[test]
    fn what_does_not_fit_in_a_query_is_named() {
        for (text, expected) in [
            ("id=a&limit=-1", "limit"),
            ("limit=-1&id=a&limit=-1", "limit"),
            ("limit=1&id=a&limit=2", "limit"),
            ("id=a&other=1&limit=x", "other"),
            ("limit=1", "id"),
            ("", "id"),
        ] {
            let request = axum::http::Request::builder().uri(format!("/v1/jobs?{text}")).body(()).unwrap();
            let problem = query::<Asked>(&request.into_parts().0).unwrap_err();
            let told = serde_json::to_value(problem).unwrap();
            assert_eq!(told["errors"][0]["pointer"], format!("/{expected}"), "{text}: {told:#}");
            let quoted = format!("`{expected}`");
            assert!(told["detail"].as_str().unwrap().contains(&quoted), "{text}: {told:#}");
        }
    }
}
