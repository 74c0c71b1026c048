//! The configuration of a plugin: what it is given, the schema it has, and changing it while it runs.
//!
//! Owns the documents. What is shown is read from the snapshot; only the choices are asked of the plugin.

use super::plugins::find;
use super::verbs::problem as of_engine;
use crate::app::Shared;
use crate::extract::{Path, PluginPath, Query};
use crate::jobs::read_json;
use crate::openapi::{Docs, changing, reading};
use crate::problem::{Code, Mistake, Problem};
use aide::transform::TransformOperation;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use hardpoint_engine::{ConfigRefusal, PluginView, Refusal};
use hardpoint_model::JobError;
use hardpoint_model::limits::CONFIG_BYTES_MAX;
use hardpoint_model::plugin_config::{ConfigSchema, Object, Origin, UnknownKeys};
use hardpoint_model::schema::FieldError;
use hardpoint_wire::document::escaped;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// When it is worth another try with a plugin that is on its way.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The configuration of a plugin.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConfigAnswer {
    /// What the instance is given: what is set for it alone, over what is set by hand for the plugin, over its manifest,
    /// over the defaults of its schema.
    values: Map<String, Value>,
    /// Whose each value is, by JSON pointer; an object that is not empty is told key by key.
    origins: BTreeMap<String, Origin>,
    /// What is set by hand for the plugin. A further instance takes it up when it is started.
    persisted: Map<String, Value>,
    /// What is set for this instance alone; empty for the default one.
    instance: Map<String, Value>,
    /// The JSON Schema of it; null when the plugin has none, or has not told it yet.
    schema: Option<Value>,
    /// Whether the plugin has told its schema since the host began. It does when it is started.
    schema_known: bool,
    /// The hash of the schema's canonical text.
    schema_hash: Option<String>,
    /// The hash of the schema that the configuration was set for, or that there was when the plugin was first seen.
    kept_schema_hash: Option<String>,
    /// Whether the two differ. A change that is accepted, also one of nothing, keeps the present one.
    drift: bool,
    /// What is wrong with the values; the plugin cannot be started with them.
    mistakes: Vec<Mistake>,
    /// JSON pointers of what was left out because the schema does not know it.
    ignored: Vec<String>,
}

impl ConfigAnswer {
    fn of(plugin: &PluginView) -> Self {
        let config = plugin.config();
        let schema = config.told.schema();
        Self {
            values: config.effective.values.clone(),
            origins: config.effective.origins.clone(),
            persisted: config.persisted.clone(),
            instance: config.instance.clone(),
            schema: schema.flatten().map(|schema| schema.schema().clone()),
            schema_known: schema.is_some(),
            schema_hash: schema.flatten().map(ConfigSchema::hash).map(str::to_owned),
            kept_schema_hash: config.kept_hash.clone(),
            drift: config.drift,
            mistakes: config.mistakes.iter().map(mistake).collect(),
            ignored: config.effective.ignored.clone(),
        }
    }
}

pub(super) fn mistake(error: &FieldError) -> Mistake {
    let hint = error.hint.clone().filter(|hint| !error.message.contains(hint.as_str()));
    Mistake { hint, ..Mistake::at(error.pointer.clone(), error.message.clone()) }
}

/// `GET /v1/plugins/{name}/config`
pub(super) async fn show(State(app): Shared, path: Path<PluginPath>) -> Result<Json<ConfigAnswer>, Problem> {
    Ok(Json(ConfigAnswer::of(&*find(&app.engine, &path.0.name)?)))
}

pub(super) fn show_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPluginConfig", "The configuration of a plugin")
        .description(
            "What the plugin is given, whose each value is, and the schema; also of a plugin that is down.",
        )
        .response::<200, Json<ConfigAnswer>>()
        .one_plugin()
}

/// How a change is judged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeQuery {
    /// Whether keys that the schema does not know are refused; otherwise they are left out. As is set for the plugin when
    /// absent.
    #[schemars(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// `PATCH /v1/plugins/{name}/config`
pub(super) async fn change(
    State(app): Shared,
    path: Path<PluginPath>,
    query: Query<ChangeQuery>,
    request: Request<Body>,
) -> Result<Json<ConfigAnswer>, Problem> {
    let name = path.0.name;
    find(&app.engine, &name)?;
    let change = object(read_json(request, CONFIG_BYTES_MAX).await?)?;
    let unknown_keys =
        query.0.strict.map(|strict| if strict { UnknownKeys::Refuse } else { UnknownKeys::Ignore });
    match app.engine.configure(&name, change, unknown_keys).await {
        Ok((plugin, ignored)) => Ok(Json(ConfigAnswer { ignored, ..ConfigAnswer::of(&plugin) })),
        Err(refusal) => Err(problem(&name, refusal)),
    }
}

pub(super) fn change_docs(op: TransformOperation) -> TransformOperation {
    changing(op, "changePluginConfig", "Change the configuration of a plugin")
        .description(
            "A JSON merge patch (RFC 7396) for what is set by hand; null takes a key out of that. A plugin that runs takes it \
             up in its `reconfigure` hook, between its calls: no call fails. When this is answered with 200 it is in force and \
             on disk; otherwise nothing has changed. Of a further instance, what is set for it alone is changed, which is \
             forgotten with it.",
        )
        .json_body::<Map<String, Value>>(json!({"language": "deu", "dpi": null}))
        .response::<200, Json<ConfigAnswer>>()
        .one_plugin()
        .problems(&[Code::BadQuery, Code::BadJson, Code::BadBody, Code::WrongContentType, Code::BodyTooLarge])
        .problems(&[Code::BodyTimeout, Code::ConfigInvalid, Code::StateConflict, Code::HookFailed])
        .problems(&[Code::PluginBusy, Code::HostStopping, Code::HostBusy, Code::StoreUnavailable, Code::Internal])
}

/// `GET /v1/plugins/{name}/config/options`
pub(super) async fn options(State(app): Shared, path: Path<PluginPath>) -> Result<Json<Value>, Problem> {
    let name = path.0.name;
    match app.engine.config_options(&name).await {
        Ok(options) => Ok(Json(options)),
        Err(refusal) => Err(of_engine(&name, &refusal)),
    }
}

pub(super) fn options_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "getPluginConfigOptions", "Which choices there are for a plugin's configuration")
        .description(
            "What the plugin's `config_options` hook answers now, by field: for example the models of a service. They are no \
             part of the schema and its hash. It waits its turn behind the plugin's calls.",
        )
        .response::<200, Json<Map<String, Value>>>()
        .one_plugin()
        .problems(&[Code::StateConflict, Code::HookFailed, Code::HostStopping, Code::Internal])
}

fn object(body: Value) -> Result<Object, Problem> {
    match body {
        Value::Object(patch) => Ok(patch),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Problem::new(Code::BadBody, "the body must be an object").at(""))
        }
    }
}

fn problem(name: &str, refusal: ConfigRefusal) -> Problem {
    match refusal {
        ConfigRefusal::Mistakes(mistakes) => invalid(name, mistakes.iter().map(mistake).collect()),
        ConfigRefusal::NotYet => Problem::new(
            Code::StateConflict,
            format!("plugin `{name}` has not told the schema of its configuration: it was not started yet"),
        )
        .hint(format!("start it: `hardpoint plugin load {name}`")),
        ConfigRefusal::OnItsWay => {
            Problem::new(Code::StateConflict, format!("plugin `{name}` is being started or stopped"))
                .hint("try again in a moment")
                .retry_after(Some(RETRY_AFTER))
        }
        ConfigRefusal::Busy => {
            Problem::new(Code::PluginBusy, format!("too many wait to change the configuration of `{name}`"))
                .hint("try again in a moment")
                .retry_after(Some(RETRY_AFTER))
        }
        ConfigRefusal::Hook(error) => raised(name, *error),
        ConfigRefusal::Store(error) => of_engine(name, &Refusal::Store(error)),
        ConfigRefusal::Other(refusal) => of_engine(name, &refusal),
    }
}

fn invalid(name: &str, mistakes: Vec<Mistake>) -> Problem {
    let first = mistakes.first().map_or_else(String::new, |mistake| mistake.detail.clone());
    let detail = match mistakes.len() {
        1 => format!("plugin `{name}`: {first}"),
        count => format!("plugin `{name}`: {count} mistakes, the first: {first}"),
    };
    Problem::new(Code::ConfigInvalid, detail)
        .hint(format!("`hardpoint plugin config {name}` shows what there is; nothing was changed"))
        .errors(mistakes)
}

/// A plugin that names the fields says the same as a schema; anything else is a failure of its own.
fn raised(name: &str, error: JobError) -> Problem {
    let fields = error.fields_invalid.clone().unwrap_or_default();
    if fields.is_empty() {
        return of_engine(name, &Refusal::Hook(Box::new(error)));
    }
    let of = |field: String| Mistake::at(format!("/{}", escaped(&field)), error.message.clone());
    invalid(name, fields.into_iter().map(of).collect())
}
