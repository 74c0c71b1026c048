//! Paths and queries as typed values; what does not fit is a problem document.
//!
//! Must not know routes.

use crate::problem::{Code, Mistake, Problem};
use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hardpoint_model::job::JobId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The parameters of a path.
pub(crate) struct Path<T>(pub(crate) T);

/// The parameters of a query.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|path| Self(path.0)).map_err(|e| Problem::new(Code::BadPath, e.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(|e| {
            let detail = e.to_string();
            let mistake = Mistake { pointer: "/".to_owned(), detail: detail.clone() };
            Problem::new(Code::BadQuery, detail).errors(vec![mistake])
        })
    }
}

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

/// Which plugin.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PluginPath {
    /// The plugin's name.
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

/// Which tool.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolPath {
    /// The plugin's name.
    pub(crate) name: String,
    /// The tool's name.
    pub(crate) tool: String,
}
