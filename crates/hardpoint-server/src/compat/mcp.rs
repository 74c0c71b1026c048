//! `POST /v1/mcp`: plugins as tools of the Model Context Protocol, in the form that clients of other hosts know.
//!
//! Owns the methods and their errors. Must not know JSON-RPC's frame, nor how a tool runs.

use super::image;
use super::rpc::{self, RpcError};
use super::tool::{Medium, works_on};
use crate::app::{App, Shared};
use crate::jobs;
use crate::problem::{Code, FailedRun, Problem};
use crate::run::{self, aside, run_tool};
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use hardpoint_engine::PluginView;
use hardpoint_wire::Payload;
use serde_json::{Map, Value, json};

const PROTOCOL: &str = "2024-11-05";

pub(crate) async fn mcp(State(app): Shared, request: Request<Body>) -> Result<Response, Problem> {
    let (_, text) = jobs::read(request, app.settings.body_bytes_max).await?;
    let read = aside(text.len(), move || run::parse(&text)).await?;
    let call = match rpc::call(read) {
        Ok(call) => call,
        Err(error) => return Ok(rpc::refused(&error)),
    };
    let answered = match call.params {
        Ok(params) => dispatch(&app, &call.method, params).await,
        Err(error) => Err(error),
    };
    Ok(rpc::answer(call.id, answered))
}

async fn dispatch(app: &App, method: &str, params: Map<String, Value>) -> Result<Value, RpcError> {
    match method {
        "initialize" => Ok(json!({
            "protocolVersion": PROTOCOL,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "hardpoint", "version": env!("CARGO_PKG_VERSION")},
        })),
        "ping" => Ok(json!({"status": "pong"})),
        "tools/list" => Ok(list(app)),
        "tools/call" => called(app, params).await,
        "resources/list" => Ok(json!({"resources": [], "nextCursor": null})),
        "resources/read" => {
            let uri = params.get("uri").and_then(Value::as_str).unwrap_or_default();
            Err(RpcError::params(format!("there is no resource `{uri}`")))
        }
        unknown => Err(RpcError::method(unknown)),
    }
}

/// One entry for each plugin that can be called with an image.
fn list(app: &App) -> Value {
    let snapshot = app.engine.snapshot();
    let callable = snapshot.defaults().filter(|plugin| takes_calls(plugin));
    let entry = |plugin: &PluginView| {
        json!({"name": plugin.name, "description": plugin.health().description, "inputSchema": {
            "type": "object",
            "properties": {"image": {"type": "string"}, "options": {"type": "object"}},
            "required": ["image"],
        }})
    };
    let tools: Vec<Value> = callable.map(|plugin| entry(plugin)).collect();
    json!({"tools": tools})
}

fn takes_calls(plugin: &PluginView) -> bool {
    plugin.answers()
        && plugin.is_enabled()
        && plugin.tools().into_iter().any(|tool| works_on(plugin, tool, Medium::Image))
}

async fn called(app: &App, mut params: Map<String, Value>) -> Result<Value, RpcError> {
    let Some(Value::String(name)) = params.remove("name") else {
        return Err(RpcError::params("`name` is missing: the plugin to be called"));
    };
    let plugin = app.engine.plugin(&name).map_err(|refusal| RpcError::params(refusal.to_string()))?;
    let mut given = match params.remove("arguments") {
        Some(Value::Object(given)) => given,
        None => Map::new(),
        Some(_) => return Err(RpcError::params("`arguments` must be an object")),
    };
    let mut options = match given.remove("options") {
        Some(Value::Object(options)) => options,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(RpcError::params("`options` must be an object")),
    };
    let Some(Value::String(image)) = given.remove("image") else {
        return Err(RpcError::params("`image` is missing: an image in base64, or a data URL"));
    };
    let tool = tool_of(&plugin, &mut options)?;
    let args = arguments(&plugin, &tool, image, options).await?;
    let done = run_tool(app, &name, &tool, args).await.map_err(|failed| failure(&failed))?;
    Ok(json!({"content": [{"type": "text", "text": done.into_result().to_string()}]}))
}

/// The tool that is wanted; a plugin with a single one need not be told which.
fn tool_of(plugin: &PluginView, options: &mut Map<String, Value>) -> Result<String, RpcError> {
    let names = plugin.tool_names();
    match options.get("tool") {
        Some(Value::String(tool)) => Ok(tool.clone()),
        Some(_) => Err(RpcError::params("`options.tool` must be the name of a tool")),
        None => match names.as_slice() {
            [only] => {
                options.insert("tool".to_owned(), json!(only));
                Ok(only.clone())
            }
            // Why a plugin without a worker cannot be called is said by whoever refuses the call.
            [] => Ok(String::new()),
            several => {
                let text = format!("`options.tool` is missing: `{}` has {several:?}", plugin.name);
                Err(RpcError::params(text))
            }
        },
    }
}

async fn arguments(
    plugin: &PluginView,
    tool: &str,
    image: String,
    options: Map<String, Value>,
) -> Result<Payload, RpcError> {
    let decoded = aside(image.len(), move || image::decoded(&image)).await;
    let decoded = decoded.map_err(|problem| RpcError::internal(problem.detail()))?;
    let decoded = decoded.map_err(|e| RpcError::params(e.to_string()))?;
    let schema = plugin.tool(tool).map_or(Value::Null, |tool| tool.info.input_schema.clone());
    Ok(image::arguments(&schema, decoded, options))
}

/// What the caller can mend is told apart from what went wrong in the tool.
fn failure(failed: &FailedRun) -> RpcError {
    let error = match failed.problem.code {
        Code::PluginNotFound
        | Code::ToolNotFound
        | Code::PluginUnavailable
        | Code::PluginDisabled
        | Code::InvalidArgument
        | Code::ArgumentsInvalid
        | Code::ArgumentsTooLarge => RpcError::params(failed.error.as_str()),
        _ => RpcError::internal(&format!("Tool execution failed: {}", failed.error)),
    };
    error.with(json!({"error_type": failed.error_type, "category": failed.category}))
}
