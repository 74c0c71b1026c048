//! One frame of a stream: which tools look at which image, and what they say.
//!
//! Owns its messages. Must not know sockets or the order of frames.

use super::image;
use crate::app::App;
use crate::limits::FRAME_TOOLS_MAX;
use crate::problem::FailedRun;
use crate::run::{aside, run_tool};
use hardpoint_wire::Blob;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Instant;
use uuid::Uuid;

/// Where a client's message has the image.
const IMAGES: [&str; 2] = ["image_data", "data"];

/// A frame that a client sent, for the plugin that it looked at then.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) plugin: String,
    pub(super) message: Map<String, Value>,
}

/// What is to be done with it.
struct Wanted {
    tools: Vec<String>,
    image: Blob,
    options: Map<String, Value>,
}

/// What the tools of a frame brought.
#[derive(Default)]
struct Brought {
    results: Map<String, Value>,
    errors: Map<String, Value>,
    order: Vec<String>,
    /// What went wrong, one sentence for each tool.
    sentences: Vec<String>,
}

/// What a client is told of something that went wrong.
pub(super) fn error(message: &str, frame: Option<&str>, plugin: &str) -> Value {
    json!({"type": "error", "message": message, "frame_id": frame,
        "payload": {"error": message, "frame_id": frame, "plugin": plugin}})
}

/// Runs the tools, one after the other, and gives the answer.
pub(super) async fn answered(app: &App, frame: Frame) -> Value {
    let Frame { plugin, mut message } = frame;
    let id = match message.remove("frame_id") {
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        _ => Uuid::now_v7().to_string(),
    };
    let began = Instant::now();
    match wanted(app, &plugin, message).await {
        Ok(wanted) => result(&id, &plugin, brought(app, &plugin, wanted).await, began),
        Err(why) => error(&format!("Invalid frame data: {why}"), Some(&id), &plugin),
    }
}

async fn wanted(app: &App, plugin: &str, mut message: Map<String, Value>) -> Result<Wanted, String> {
    let Some(Value::Array(tools)) = message.remove("tools") else {
        return Err("missing 'tools' field".to_owned());
    };
    let named = tools.into_iter().map(|tool| match tool {
        Value::String(tool) => Ok(tool),
        _ => Err("'tools' must be a list of names".to_owned()),
    });
    let tools = named.collect::<Result<Vec<String>, String>>()?;
    if tools.is_empty() || tools.len() > FRAME_TOOLS_MAX {
        return Err(format!("'tools' must name 1 to {FRAME_TOOLS_MAX} tools"));
    }
    let Some(Value::String(text)) = IMAGES.iter().find_map(|name| message.remove(*name)) else {
        return Err("missing 'image_data' or 'data' field".to_owned());
    };
    let options = match message.remove("options") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(options)) => options,
        Some(_) => return Err("'options' must be an object".to_owned()),
    };
    let view = app.engine.plugin(plugin).map_err(|refusal| refusal.to_string())?;
    // Of a plugin that is down nobody knows the tools; the call says why it is.
    if let Some(unknown) = tools.iter().find(|tool| view.knows_tools() && view.tool(tool).is_none()) {
        let known = view.tool_names();
        return Err(format!("Tool '{unknown}' not found in plugin '{plugin}'. Available: {known:?}"));
    }
    let image = aside(text.len(), move || image::decoded(&text)).await;
    let image = image.map_err(|problem| problem.detail().to_owned())?.map_err(|e| e.to_string())?;
    Ok(Wanted { tools, image, options })
}

async fn brought(app: &App, plugin: &str, wanted: Wanted) -> Brought {
    let mut brought = Brought::default();
    for tool in wanted.tools {
        let view = app.engine.plugin(plugin).ok();
        let known = view.as_ref().and_then(|view| view.tool(&tool));
        let schema = known.map_or(Value::Null, |tool| tool.info.input_schema.clone());
        let args = image::arguments(&schema, wanted.image.clone(), wanted.options.clone());
        match run_tool(app, plugin, &tool, args).await {
            Ok(done) => drop(brought.results.insert(tool.clone(), done.into_result())),
            Err(failed) => brought.failed(&tool, &failed),
        }
        brought.order.push(tool);
    }
    brought
}

impl Brought {
    fn failed(&mut self, tool: &str, failed: &FailedRun) {
        let why = json!({"error": failed.error, "error_type": failed.error_type});
        self.errors.insert(tool.to_owned(), why);
        self.sentences.push(format!("{tool}: {}", failed.error));
    }
}

/// The successes of a frame are told although others failed; only when all did it is an error.
fn result(id: &str, plugin: &str, brought: Brought, began: Instant) -> Value {
    let Brought { results, errors, order, sentences } = brought;
    let summary = (!sentences.is_empty()).then(|| sentences.join("; "));
    if results.is_empty()
        && let Some(summary) = summary
    {
        return error(&format!("Analysis failed: {summary}"), Some(id), plugin);
    }
    let mut result = Map::from_iter([
        ("tools".to_owned(), Value::Object(results)),
        ("tool_order".to_owned(), json!(order)),
    ]);
    if !errors.is_empty() {
        result.insert("errors".to_owned(), Value::Object(errors));
    }
    json!({
        "type": "result",
        "payload": {
            "frame_id": id,
            "plugin": plugin,
            "result": result,
            "error": summary,
            "processing_time_ms": began.elapsed().as_secs_f64() * 1000.0,
        },
        "timestamp": Timestamp::now(),
    })
}
