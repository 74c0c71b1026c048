//! `hardpoint plugin config NAME`: what a plugin is given, whose each value is, and changing it while it runs.
//!
//! Owns the table, and the patch that the command line asks for. What may stand there is the server's business.

use super::{Scene, patiently};
use crate::cli::exit_code::Code;
use crate::cli::fields::{self, Field};
use crate::cli::terminal;
use crate::client::{Client, typed};
use crate::embedded::Failure;
use clap::Args;
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use hardpoint_model::plugin_config::{Object, Origin};
use hardpoint_wire::Payload;
use owo_colors::OwoColorize as _;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Which plugin, and what is changed.
#[derive(Debug, Args)]
#[command(after_help = "\
A key inside another is written with a dot: server.port=8080. What is set is kept by the server, and in force for the next
call; when anything of it is wrong, nothing is changed.

Examples:
  hardpoint plugin config ocr
  hardpoint plugin config ocr language=deu dpi=300
  hardpoint plugin config ocr --unset dpi
  hardpoint plugin config ocr --options --json

Exit codes: 0 it is as asked; 1 the plugin refused it; 2 something of it is wrong; 6 no server answers.")]
pub(in crate::cli) struct Config {
    /// Name of the plugin
    plugin: String,
    /// key=value (text, or JSON where the plugin wants a number, list or object), key=@file
    #[arg(value_name = "KEY=VALUE")]
    fields: Vec<Field>,
    /// Take a key out of what is set by hand
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Leave out keys that the plugin does not know, instead of refusing them
    #[arg(long)]
    lenient: bool,
    /// Show which choices the plugin offers for its keys
    #[arg(long, conflicts_with_all = ["fields", "unset", "lenient"])]
    options: bool,
}

/// What the server says.
#[derive(Debug, Deserialize)]
struct Answer {
    values: Object,
    origins: BTreeMap<String, Origin>,
    schema: Option<Value>,
    schema_known: bool,
    drift: bool,
    mistakes: Vec<Mistake>,
    ignored: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Mistake {
    detail: String,
}

pub(in crate::cli) async fn run(args: Config, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    if args.options {
        let path = ["v1", "plugins", args.plugin.as_str(), "config", "options"];
        return terminal::print_json(&patiently(client.get(&path, &[])).await?).map(|()| Code::Ok);
    }
    let document = patiently(asked(&client, &args)).await?;
    if scene.shared.json {
        return terminal::print_json(&document).map(|()| Code::Ok);
    }
    let answer: Answer = typed(&document)?;
    terminal::print(page(&answer))?;
    for remark in remarks(&args.plugin, &answer) {
        terminal::say(remark);
    }
    Ok(Code::Ok)
}

async fn asked(client: &Client, args: &Config) -> Result<Value, Failure> {
    let shown = client.plugin_config(&args.plugin).await?;
    if args.fields.is_empty() && args.unset.is_empty() {
        return Ok(shown);
    }
    let schema = shown.get("schema").cloned().unwrap_or_default();
    let patch = patch(args, &schema)?;
    client.change_plugin_config(&args.plugin, &patch, args.lenient.then_some(false)).await
}

/// The merge patch: each key with its value, typed by the schema, and null for those that go.
fn patch(args: &Config, schema: &Value) -> Result<Value, Failure> {
    let mut patch = values(&args.fields, schema)?;
    for key in &args.unset {
        put(&mut patch, schema, key, Value::Null);
    }
    Ok(Value::Object(patch))
}

/// What `key=value` sets, typed by the schema.
pub(super) fn values(fields: &[Field], schema: &Value) -> Result<Object, Failure> {
    let typed = fields::document(None, fields, |key| schema_of(schema, key))?;
    let typed = Payload::object(typed).into_json(u64::MAX)?;
    let mut values = Object::new();
    for (key, value) in typed.as_object().into_iter().flatten() {
        put(&mut values, schema, key, value.clone());
    }
    Ok(values)
}

fn put(patch: &mut Object, schema: &Value, key: &str, value: Value) {
    match key.split_once('.').filter(|_| property(schema, key).is_none()) {
        Some((first, rest)) => {
            let below = patch.entry(first).or_insert_with(|| Value::Object(Object::new()));
            if let Value::Object(below) = below {
                let schema = property(schema, first).unwrap_or(&Value::Null);
                put(below, schema, rest, value);
            }
        }
        None => drop(patch.insert(key.to_owned(), value)),
    }
}

/// What the schema says of a key; a key that has dots itself goes before the way through objects.
fn schema_of<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    property(schema, key).or_else(|| {
        let (first, rest) = key.split_once('.')?;
        schema_of(property(schema, first)?, rest)
    })
}

fn property<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(key)
}

fn page(answer: &Answer) -> String {
    if answer.origins.is_empty() {
        return match (answer.schema_known, &answer.schema) {
            (true, None) => "it has no schema for its configuration, and nothing is set".to_owned(),
            (_, _) => "nothing is set".to_owned(),
        };
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["KEY", "VALUE", "ORIGIN", "ABOUT"]);
    let values = Value::Object(answer.values.clone());
    for (pointer, origin) in &answer.origins {
        let key = pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        let value = values.pointer(pointer).unwrap_or(&Value::Null);
        let about = answer.schema.as_ref().and_then(|schema| schema_of(schema, &key)).map(about);
        let mut whose = Cell::new(origin.as_str());
        if *origin == Origin::Default {
            whose = whose.add_attribute(Attribute::Dim);
        }
        table.add_row([
            Cell::new(&key),
            Cell::new(shown(value)),
            whose,
            Cell::new(about.unwrap_or_default()),
        ]);
    }
    table.to_string()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a key is for, and what it may be.
fn about(schema: &Value) -> String {
    let text = |name: &str| schema.get(name).and_then(Value::as_str).map(str::to_owned);
    let choices = schema.get("enum").and_then(Value::as_array);
    let choices = choices.map(|all| all.iter().map(shown).collect::<Vec<_>>().join(" | "));
    let bound = |name: &str, word: &str| schema.get(name).map(|bound| format!("{word} {bound}"));
    let facts = [
        text("title").or_else(|| text("description")),
        choices,
        bound("minimum", "from"),
        bound("maximum", "to"),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn remarks(plugin: &str, answer: &Answer) -> Vec<String> {
    let warning = "warning:".yellow().bold().to_string();
    let hint = "hint:".cyan().bold().to_string();
    let mut remarks: Vec<String> =
        answer.mistakes.iter().map(|mistake| format!("{warning} {}", mistake.detail)).collect();
    if !answer.mistakes.is_empty() {
        remarks.push(format!("{hint} put it right, then `hardpoint plugin restart {plugin}`"));
    }
    let ignored = answer.ignored.iter();
    remarks.extend(ignored.map(|key| format!("{warning} `{key}` is left out: the plugin does not know it")));
    if answer.drift {
        remarks.push(format!(
            "{warning} the schema is not the one that this configuration was set for; the next change accepts it"
        ));
    }
    if !answer.schema_known {
        remarks.push(format!(
            "{hint} the plugin tells its schema once `hardpoint plugin load {plugin}` starts it"
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_with_dots_lead_into_objects_unless_the_schema_has_them_so() {
        let schema = json!({"properties": {
            "a.b": {"type": "string"},
            "server": {"properties": {"port": {"type": "integer"}, "name": {"type": "string"}}},
        }});
        let config = |fields: &[&str], unset: &[&str]| Config {
            plugin: "p".to_owned(),
            fields: fields.iter().map(|text| text.parse().unwrap()).collect(),
            unset: unset.iter().map(|key| (*key).to_owned()).collect(),
            lenient: false,
            options: false,
        };
        let args = config(&["a.b=1", "server.port=80", "server.name=80", "new=[1]"], &["server.host", "old"]);
        let expected =
            json!({"a.b": "1", "server": {"port": 80, "name": "80", "host": null}, "new": [1], "old": null});
        assert_eq!(patch(&args, &schema).unwrap(), expected);
    }
}
