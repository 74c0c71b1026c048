//! What a tool works on: images, videos, and under which names it takes them.
//!
//! Owns the names of arguments that clients of other hosts never say. What a plugin's worker told of its own contract
//! (`facts`) counts before what its schemas look like. Must not know requests.

use hardpoint_engine::PluginView;
use hardpoint_wire::ToolInfo;
use serde_json::{Map, Value};

pub(super) const IMAGE_BYTES: &str = "image_bytes";
pub(super) const IMAGE_BASE64: &str = "image_base64";
pub(super) const OPTIONS: &str = "options";
pub(super) const VIDEO_PATH: &str = "video_path";

/// What a tool can be made to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Image,
    Video,
}

impl Medium {
    /// As manifests have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Image => IMAGE_BYTES,
            Self::Video => "video",
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
        }
    }

    /// With its article.
    pub(super) fn a_noun(self) -> &'static str {
        match self {
            Self::Image => "an image",
            Self::Video => "a video",
        }
    }

    fn is_named_by(self, argument: &str) -> bool {
        match self {
            Self::Image => argument == IMAGE_BYTES || argument == IMAGE_BASE64,
            Self::Video => argument == VIDEO_PATH,
        }
    }
}

/// Whether a tool works on this: its plugin's manifest says so, or its arguments do.
pub(super) fn works_on(plugin: &PluginView, tool: &ToolInfo, medium: Medium) -> bool {
    let facts = facts_of(plugin, &tool.name);
    texts(facts, "input_types").any(|word| word == medium.word())
        || texts(facts, "arguments").any(|name| medium.is_named_by(name))
        || input_types(tool).contains(&medium.word())
}

/// What a tool works on, in the words of manifests.
pub(super) fn input_types(tool: &ToolInfo) -> Vec<&'static str> {
    let media = [Medium::Image, Medium::Video].into_iter();
    let named = |medium: &Medium| {
        let schema = &tool.input_schema;
        let other = *medium == Medium::Image && image_argument(schema).is_some();
        other || arguments(schema).any(|name| medium.is_named_by(name))
    };
    media.filter(named).map(Medium::word).collect()
}

/// The tool that a word for what is wanted stands for: the first that has the capability, or whose name begins with it.
pub(super) fn meant<'p>(plugin: &'p PluginView, wanted: &str, medium: Medium) -> Option<&'p ToolInfo> {
    let tools = plugin.tools();
    let find = |name: &str| tools.iter().copied().find(|tool| tool.name == name);
    let listed = entries(plugin).filter_map(|entry| Some((entry, find(entry.get("id")?.as_str()?)?)));
    let capable = listed
        .filter(|(entry, tool)| {
            texts(Some(entry), "capabilities").any(|word| word == wanted) && works_on(plugin, tool, medium)
        })
        .map(|(_, tool)| tool);
    let by_name =
        tools.iter().copied().filter(|tool| tool.name.starts_with(wanted) && works_on(plugin, tool, medium));
    capable.chain(by_name).next()
}

/// The names under `inputs` of a tool in its plugin's manifest, whatever form they have there.
pub(super) fn inputs(plugin: &PluginView, tool: &str) -> Vec<String> {
    let entry = entries(plugin).find(|entry| entry.get("id").and_then(Value::as_str) == Some(tool));
    match entry.and_then(|entry| entry.get("inputs")) {
        Some(Value::Object(inputs)) => inputs.keys().cloned().collect(),
        Some(Value::Array(inputs)) => inputs.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
    }
}

/// The name under which a tool takes an image: the one that all know, or else its first argument that is binary.
pub(super) fn image_argument(schema: &Value) -> Option<&str> {
    let binary = |field: &Value| field.get("format").and_then(Value::as_str) == Some("bytes");
    let choices = |field: &Value| {
        let choices = field.get("anyOf").and_then(Value::as_array);
        choices.is_some_and(|choices| choices.iter().any(binary))
    };
    let fields = schema.get("properties").and_then(Value::as_object)?;
    let named = fields.get_key_value(IMAGE_BYTES);
    named
        .or_else(|| fields.iter().find(|(_, field)| binary(field) || choices(field)))
        .map(|(name, _)| name.as_str())
}

/// The names of a schema's arguments.
pub(super) fn arguments(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

/// The manifest that a plugin's worker told, with the tools that it lists.
pub(super) fn manifest(plugin: &PluginView) -> Option<&Map<String, Value>> {
    let own = plugin.manifest().is_some_and(|manifest| manifest.dialect == DIALECT);
    plugin.facts().filter(|_| own)?.get("manifest")?.as_object()
}

/// What is wrong with the file that it should have come from.
pub(super) fn manifest_error(plugin: &PluginView) -> Option<String> {
    plugin.facts()?.get("manifest_error")?.as_str().map(str::to_owned)
}

const DIALECT: &str = "forgesyte";

fn entries(plugin: &PluginView) -> impl Iterator<Item = &Map<String, Value>> {
    let tools = manifest(plugin).and_then(|manifest| manifest.get("tools")?.as_array());
    tools.into_iter().flatten().filter_map(Value::as_object)
}

fn facts_of<'p>(plugin: &'p PluginView, tool: &str) -> Option<&'p Map<String, Value>> {
    plugin.facts()?.get("tools")?.get(tool)?.as_object()
}

fn texts<'a>(from: Option<&'a Map<String, Value>>, name: &'a str) -> impl Iterator<Item = &'a str> {
    let listed = from.and_then(|from| from.get(name)?.as_array());
    listed.into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_tool_works_on_is_read_from_the_names_of_its_arguments() {
        for (names, expected) in [
            (json!({"image_bytes": {}, "options": {}}), vec!["image_bytes"]),
            (json!({"image_base64": {}}), vec!["image_bytes"]),
            (json!({"video_path": {}, "device": {}}), vec!["video"]),
            (json!({"image": {}}), vec![]),
        ] {
            let input_schema = json!({"type": "object", "properties": names});
            let tool = ToolInfo {
                name: "t".to_owned(),
                description: String::new(),
                input_schema,
                output_schema: json!({}),
                streaming: false,
                timeout_seconds: None,
            };
            assert_eq!(input_types(&tool), expected, "{names}");
        }
    }
}
