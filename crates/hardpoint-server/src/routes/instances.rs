//! Several instances of one plugin: which there are, and one more.
//!
//! Owns the body of a new one. Everything else is done with an instance as with a plugin, by its id.

use super::config::mistake;
use super::plugins::unknown;
use super::verbs::{WaitQuery, patience, problem as of_engine};
use crate::app::{App, Shared};
use crate::extract::{Path, PluginPath, Query};
use crate::jobs::{Fields, read};
use crate::limits::INSTANCE_BODY_BYTES_MAX;
use crate::openapi::{Docs, changing, reading};
use crate::problem::{Code, Mistake, Problem};
use crate::run::misfit;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hardpoint_engine::{Created, InstanceRefusal, NewInstance};
use hardpoint_model::InstanceId;
use hardpoint_model::health::{PluginDetail, PluginHealth};
use hardpoint_model::limits::{CONCURRENCY_MAX, INSTANCE_ID_CHARS_MAX};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One more instance. Every field may be left out.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it is a description: the body is read by hand, so that every mistake is named")]
struct NewInstanceBody {
    /// Its id; `NAME-` and six digits are made up when absent. One that is there already is loaded and answered as it is.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"), skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    /// What is set for this instance alone, over what is set for the plugin.
    #[schemars(skip_serializing_if = "Option::is_none")]
    config: Option<Map<String, Value>>,
    /// How many calls its worker runs at once, instead of `limits.concurrency` of the manifest.
    #[schemars(range(min = 1, max = CONCURRENCY_MAX), skip_serializing_if = "Option::is_none")]
    max_concurrent_requests: Option<u32>,
}

const FIELDS: &str = "`instance_id`, `config` and `max_concurrent_requests`";

pub(super) fn router() -> ApiRouter<Arc<App>> {
    let both = get_with(list, list_docs).post_with(create, create_docs);
    ApiRouter::new().api_route("/v1/plugins/{name}/instances", both)
}

/// `GET /v1/plugins/{name}/instances`
async fn list(State(app): Shared, path: Path<PluginPath>) -> Result<Json<Vec<PluginHealth>>, Problem> {
    let name = path.0.name;
    let instances = app.engine.instances(&name).map_err(|refusal| unknown(&name, &refusal))?;
    Ok(Json(instances.iter().map(|instance| instance.health()).collect()))
}

fn list_docs(op: TransformOperation) -> TransformOperation {
    reading(op, "listInstances", "All instances of a plugin with their health")
        .description("Sorted by id. The default one, which is called like the plugin, is among them.")
        .response::<200, Json<Vec<PluginHealth>>>()
        .one_plugin()
}

/// `POST /v1/plugins/{name}/instances`
async fn create(
    State(app): Shared,
    path: Path<PluginPath>,
    query: Query<WaitQuery>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let name = path.0.name;
    let patience = patience(query.0.wait_seconds, &app)?;
    let (_, text) = read(request, INSTANCE_BODY_BYTES_MAX).await?;
    let new = of_json(&text)?;
    let created = app.engine.create_instance(&name, new, patience).await;
    let Created { answer, is_new } = created.map_err(|refusal| problem(&name, refusal))?;
    let status = match (answer.done, is_new) {
        (true, true) => StatusCode::CREATED,
        (true, false) => StatusCode::OK,
        (false, _) => StatusCode::ACCEPTED,
    };
    let mut response = (status, Json(answer.plugin.detail())).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/plugins/{}", answer.plugin.name)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn create_docs(op: TransformOperation) -> TransformOperation {
    changing(op, "createInstance", "Start one more instance of a plugin")
        .description(
            "It has a worker, a configuration, a log, counters and a switch of its own, and is used wherever a plugin is \
             named, by its id. It is there until it is unloaded or the host ends: hosts that are started later know only \
             the default one.",
        )
        .json_body::<NewInstanceBody>(json!({"instance_id": "ocr-german", "config": {"language": "deu"}}))
        .response_with::<200, Json<PluginDetail>, _>(|r| r.description("It was there; the instance as it is"))
        .response_with::<201, Json<PluginDetail>, _>(|r| r.description("It has settled; the instance"))
        .response_with::<202, Json<PluginDetail>, _>(|r| r.description("It goes on; the instance so far"))
        .one_plugin()
        .problems(&[Code::BadQuery, Code::BadJson, Code::BadBody, Code::WrongContentType, Code::BodyTooLarge])
        .problems(&[Code::BodyTimeout, Code::ConfigInvalid, Code::StateConflict, Code::HostStopping])
        .problems(&[Code::HostBusy, Code::StoreUnavailable, Code::Internal])
}

fn of_json(text: &[u8]) -> Result<NewInstance, Problem> {
    let mut fields = Fields::of(text)?;
    let id = fields.value("instance_id").map(id).transpose()?;
    let config = fields.object("config")?.unwrap_or_default();
    let concurrency = concurrency(&mut fields)?;
    fields.end(FIELDS)?;
    Ok(NewInstance { id, config, concurrency })
}

fn id(value: Value) -> Result<InstanceId, Problem> {
    let wrong = |detail: String| misfit("/instance_id", &detail);
    let Value::String(text) = value else {
        return Err(wrong(format!("instance_id must be str, got {}", kind(&value))));
    };
    text.parse().map_err(|_| {
        wrong(format!("instance_id '{text}' must match pattern [A-Za-z0-9_-]{{1,{INSTANCE_ID_CHARS_MAX}}}"))
    })
}

/// As clients of other hosts know it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "None",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn concurrency(fields: &mut Fields) -> Result<Option<u32>, Problem> {
    const NAME: &str = "max_concurrent_requests";
    let wrong = || {
        misfit(&format!("/{NAME}"), &format!("`{NAME}` must be a whole number from 1 to {CONCURRENCY_MAX}"))
    };
    let number = fields.number(NAME).map_err(|_| wrong())?;
    let within = |number| u32::try_from(number).ok().filter(|number| (1..=CONCURRENCY_MAX).contains(number));
    number.map(|number| within(number).ok_or_else(wrong)).transpose()
}

fn problem(name: &str, refusal: InstanceRefusal) -> Problem {
    let text = refusal.to_string();
    match refusal {
        InstanceRefusal::Taken { id, plugin } => {
            let hint = if id == plugin {
                "leave `instance_id` out, or choose an id that no plugin has for a name".to_owned()
            } else {
                format!("leave `instance_id` out, or unload that one: `hardpoint plugin unload {id}`")
            };
            Problem::new(Code::StateConflict, text).at("/instance_id").hint(hint)
        }
        InstanceRefusal::NoId(_) => {
            Problem::new(Code::StateConflict, text).hint("choose an `instance_id` yourself")
        }
        InstanceRefusal::TooMany(_) | InstanceRefusal::TooManyOfAll => {
            Problem::new(Code::StateConflict, text)
                .hint("unload one that is not needed: `hardpoint plugin unload ID`")
        }
        InstanceRefusal::Mistakes(mistakes) => {
            let mistakes: Vec<Mistake> = mistakes
                .iter()
                .map(mistake)
                .map(|one| Mistake { pointer: format!("/config{}", one.pointer), ..one })
                .collect();
            let first = mistakes.first().map_or_else(String::new, |mistake| mistake.detail.clone());
            Problem::new(Code::ConfigInvalid, format!("plugin `{name}`: {first}"))
                .hint(format!("nothing was started; `hardpoint plugin config {name}` shows what it takes"))
                .errors(mistakes)
        }
        InstanceRefusal::Other(refusal) => of_engine(name, &refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_instance_is_told_by_its_field() {
        for (body, pointer, detail) in [
            (
                json!({"instance_id": "a b"}),
                "/instance_id",
                "instance_id 'a b' must match pattern [A-Za-z0-9_-]{1,64}",
            ),
            (
                json!({"instance_id": ""}),
                "/instance_id",
                "instance_id '' must match pattern [A-Za-z0-9_-]{1,64}",
            ),
            (json!({"instance_id": 7}), "/instance_id", "instance_id must be str, got int"),
            (json!({"instance_id": 1.5}), "/instance_id", "instance_id must be str, got float"),
            (json!({"instance_id": ["a"]}), "/instance_id", "instance_id must be str, got list"),
            (json!({"config": 1}), "/config", "`config` must be an object"),
            (json!({"max_concurrent_requests": 0}), "/max_concurrent_requests", "from 1 to 1024"),
            (json!({"max_concurrent_requests": "2"}), "/max_concurrent_requests", "from 1 to 1024"),
            (json!({"id": "a"}), "/id", "`id` is not known"),
            (json!([]), "", "must be an object"),
        ] {
            let problem = serde_json::to_value(of_json(body.to_string().as_bytes()).unwrap_err()).unwrap();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem:#}");
        }
        let new =
            of_json(br#"{"instance_id": "A-1_", "max_concurrent_requests": 2.0, "config": null}"#).unwrap();
        assert_eq!((new.id.unwrap().as_str(), new.concurrency), ("A-1_", Some(2)));
    }
}
