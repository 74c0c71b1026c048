//! The secrets of a plugin: set, forgotten, told by name. No answer has a value in it.
//!
//! Owns the documents. Must not know how secrets are kept; a body is read, handed on and never logged.

use super::verbs::{patience, problem as of_engine};
use crate::app::{App, Shared};
use crate::extract::{Path, PluginPath, Query};
use crate::jobs::read_json;
use crate::limits::SECRET_BODY_BYTES_MAX;
use crate::openapi::{Docs, changing, reading};
use crate::problem::{Code, Problem};
use aide::transform::TransformOperation;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use hardpoint_engine::{Afterwards, Changed, SecretRefusal};
use hardpoint_model::Secret;
use hardpoint_model::worker_env::EnvStatus;
use hardpoint_secrets::{Place, SecretsError};
use hardpoint_wire::document::escaped;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Which secret.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SecretPath {
    /// The plugin's name; it need not be there yet.
    name: String,
    /// The name of the variable.
    key: String,
}

/// Whose secrets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeQuery {
    /// The scope; when absent the one that workers are given.
    #[schemars(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// Whose secret, and what becomes of the plugin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeQuery {
    /// The scope; when absent the one that workers are given.
    #[schemars(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// Whether the plugin is started anew if it runs; true when absent.
    #[schemars(skip_serializing_if = "Option::is_none")]
    restart: Option<bool>,
    /// How long to wait until a plugin that is started anew has settled; the server's setting when absent.
    #[schemars(range(min = 0, max = 3600), skip_serializing_if = "Option::is_none")]
    wait_seconds: Option<f64>,
}

impl ChangeQuery {
    fn afterwards(&self, app: &App) -> Result<Afterwards, Problem> {
        let patience = patience(self.wait_seconds, app)?;
        Ok(if self.restart == Some(false) { Afterwards::GoOn } else { Afterwards::Restart(patience) })
    }
}

/// A value to be kept.
#[derive(Debug, JsonSchema)]
#[expect(
    dead_code,
    reason = "it is a description: the value is read by hand, so that no message can quote it"
)]
struct NewSecret {
    /// The value; it is never told again.
    #[schemars(length(min = 1, max = 32768))]
    value: String,
}

/// The secrets of a plugin.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SecretsAnswer {
    /// The scope.
    scope: String,
    /// Their names.
    names: Vec<String>,
    /// What the plugin says that its worker reads; empty when that is not known.
    worker_env: Vec<EnvStatus>,
    /// What of that it cannot do without and has not.
    missing_required: Vec<String>,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SecretAnswer {
    /// The name of the secret.
    name: String,
    /// Whether the plugin is started anew with it, or without.
    restarting: bool,
    /// Whether that is over; false when it goes on.
    settled: bool,
}

/// `GET /v1/plugins/{name}/secrets`
pub(super) async fn list(
    State(app): Shared,
    path: Path<PluginPath>,
    query: Query<ScopeQuery>,
) -> Result<Json<SecretsAnswer>, Problem> {
    let place = place(&app, query.0.scope.as_deref(), &path.0.name)?;
    let scope = place.scope().to_owned();
    let view = app.engine.secrets(place).await.map_err(|refusal| problem(&path.0.name, "", &refusal))?;
    let missing_required = view.missing().map(str::to_owned).collect();
    Ok(Json(SecretsAnswer { scope, names: view.names, worker_env: view.variables, missing_required }))
}

pub(super) fn list_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "listPluginSecrets", "The names of a plugin's secrets")
        .description("Their names, and what the plugin says that it needs. No value is ever told.")
        .tag("plugins")
        .response::<200, Json<SecretsAnswer>>()
        .problems(&[Code::BadPath, Code::BadQuery, Code::SecretInvalid])
        .problems(&[Code::StoreUnavailable, Code::HostStopping])
}

/// `PUT /v1/plugins/{name}/secrets/{key}`
pub(super) async fn set(
    State(app): Shared,
    path: Path<SecretPath>,
    query: Query<ChangeQuery>,
    request: Request<Body>,
) -> Result<Json<SecretAnswer>, Problem> {
    let SecretPath { name, key } = path.0;
    let place = place(&app, query.0.scope.as_deref(), &name)?;
    let afterwards = query.0.afterwards(&app)?;
    let value = value(read_json(request, SECRET_BODY_BYTES_MAX).await?)?;
    let set = app.engine.set_secret(place, key.clone(), value, afterwards).await;
    let changed = set.map_err(|refusal| problem(&name, &key, &refusal))?;
    Ok(Json(SecretAnswer { name: key, restarting: changed.restarting, settled: changed.settled }))
}

pub(super) fn set_docs(op: TransformOperation) -> TransformOperation {
    changing(op, "setPluginSecret", "Keep a secret for a plugin")
        .description(
            "When this is answered with 200 the value is on disk, sealed. The plugin's workers find it in their environment; \
             one that runs is started anew, its calls may finish; the answer waits until it has settled. The plugin need not \
             be there yet.",
        )
        .json_body::<NewSecret>(json!({"value": "correct horse battery staple"}))
        .response::<200, Json<SecretAnswer>>()
        .problems(&[Code::BadPath, Code::BadQuery, Code::BadJson, Code::BadBody, Code::WrongContentType])
        .problems(&[Code::BodyTooLarge, Code::BodyTimeout, Code::SecretInvalid])
        .problems(&[Code::StoreUnavailable, Code::HostStopping, Code::HostBusy])
}

/// `DELETE /v1/plugins/{name}/secrets/{key}`
pub(super) async fn delete(
    State(app): Shared,
    path: Path<SecretPath>,
    query: Query<ChangeQuery>,
) -> Result<Json<SecretAnswer>, Problem> {
    let SecretPath { name, key } = path.0;
    let place = place(&app, query.0.scope.as_deref(), &name)?;
    let deleted = app.engine.delete_secret(place, key.clone(), query.0.afterwards(&app)?).await;
    match deleted.map_err(|refusal| problem(&name, &key, &refusal))? {
        Changed { changed: true, restarting, settled } => {
            Ok(Json(SecretAnswer { name: key, restarting, settled }))
        }
        Changed { changed: false, .. } => {
            let detail = format!("there is no secret `{key}` of plugin `{name}`");
            let hint = format!("`GET /v1/plugins/{name}/secrets` shows their names");
            Err(Problem::new(Code::UnknownSecret, detail).hint(hint))
        }
    }
}

pub(super) fn delete_docs(op: TransformOperation) -> TransformOperation {
    changing(op, "deletePluginSecret", "Forget a secret of a plugin")
        .description("A plugin that runs is started anew without it, its calls may finish; the answer waits until it has settled.")
        .response::<200, Json<SecretAnswer>>()
        .problems(&[Code::BadPath, Code::BadQuery, Code::UnknownSecret, Code::SecretInvalid])
        .problems(&[Code::StoreUnavailable, Code::HostStopping, Code::HostBusy])
}

/// All instances of a plugin have its secrets.
fn place(app: &App, scope: Option<&str>, name: &str) -> Result<Place, Problem> {
    Place::new(scope, &app.engine.plugin_of(name)).map_err(|error| of_secrets(&error, ""))
}

/// What is wrong with the body is said without what is in it.
fn value(body: Value) -> Result<Secret, Problem> {
    let wrong = |at: &str, why: &str| Problem::new(Code::BadBody, why).at(at);
    let Value::Object(mut fields) = body else { return Err(wrong("", "the body must be an object")) };
    let value = fields.remove("value").ok_or_else(|| wrong("/value", "`value` is missing"))?;
    if let Some(name) = fields.keys().next() {
        return Err(wrong(&format!("/{}", escaped(name)), "only `value` may stand there"));
    }
    match value {
        Value::String(text) => Ok(Secret::from(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong("/value", "`value` must be a text"))
        }
    }
}

fn problem(plugin: &str, key: &str, refusal: &SecretRefusal) -> Problem {
    match refusal {
        SecretRefusal::Secrets(error) => of_secrets(error, key),
        SecretRefusal::NotAnOption(why) => Problem::new(Code::SecretInvalid, why.clone()).at("/value"),
        SecretRefusal::Host(refusal) => of_engine(plugin, refusal),
    }
}

fn of_secrets(error: &SecretsError, key: &str) -> Problem {
    let code = if error.is_of_request() { Code::SecretInvalid } else { Code::StoreUnavailable };
    let place = match error {
        SecretsError::Value { .. } => "/value",
        SecretsError::Name { what: "scope", .. } => "/scope",
        SecretsError::Name { name, .. } if name == key => "/key",
        SecretsError::Name { .. } => "/name",
        SecretsError::Full { .. }
        | SecretsError::FileFull
        | SecretsError::Busy
        | SecretsError::Unreadable { .. }
        | SecretsError::KeyMissing { .. }
        | SecretsError::Plain { .. }
        | SecretsError::NotImportable { .. }
        | SecretsError::Io { .. }
        | SecretsError::Random => return Problem::new(code, error.to_string()).hint(error.hint()),
    };
    Problem::new(code, error.to_string()).hint(error.hint()).at(place)
}
