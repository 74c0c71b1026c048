//! Owns YAML and JSON text to JSON value. Knows no field names.
//! JSON is checked by a JSON parser; the lines are found by the YAML one, whose language contains it.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, UserMessageFormatter};

use super::{Parsed, Place, SyntaxError, child};
use crate::limits::{NESTING_MAX, YAML_NODES_MAX};

pub(super) fn parse(text: &str) -> Parsed {
    match read(text) {
        Ok(root) => {
            let mut places = HashMap::new();
            let value = convert(root, "", &mut places);
            Ok((value, places))
        }
        Err(error) => {
            let error = error.without_snippet();
            let rendered = error.render_with_formatter(&UserMessageFormatter);
            let message = rendered.split(" at line ").next().unwrap_or_default().to_owned();
            Err(vec![SyntaxError { place: error.location().and_then(place), message }])
        }
    }
}

pub(super) fn parse_json(text: &str) -> Parsed {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string().split(" at line ").next().unwrap_or_default().to_owned();
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
        vec![SyntaxError { place: Some(Place { line, column }), message }]
    })?;
    if !shallow(&value, NESTING_MAX) {
        return Err(vec![SyntaxError { place: None, message: format!("nested deeper than {NESTING_MAX}") }]);
    }
    match read(text) {
        Ok(root) => {
            let mut places = HashMap::new();
            convert(root, "", &mut places);
            Ok((value, places))
        }
        Err(error) => {
            let error = error.without_snippet();
            let rendered = error.render_with_formatter(&UserMessageFormatter);
            if rendered.contains("duplicate") {
                let message = rendered.split(" at line ").next().unwrap_or_default().to_owned();
                return Err(vec![SyntaxError { place: error.location().and_then(place), message }]);
            }
            Ok((value, HashMap::new()))
        }
    }
}

fn shallow(value: &Value, levels: usize) -> bool {
    let below: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return true,
    };
    levels.checked_sub(1).is_some_and(|levels| below.into_iter().all(|item| shallow(item, levels)))
}

fn read(text: &str) -> Result<Spanned<Node>, serde_saphyr::Error> {
    let budget = serde_saphyr::budget! {
        max_depth: NESTING_MAX,
        max_nodes: YAML_NODES_MAX,
        max_events: 2 * YAML_NODES_MAX,
        max_documents: 1,
        flow_nesting_limit: NESTING_MAX
    };
    let mut aliases = serde_saphyr::options::AliasLimits::default();
    aliases.max_total_replayed_events = YAML_NODES_MAX;
    let options = serde_saphyr::options! {
        budget: budget,
        alias_limits: aliases,
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// A YAML node that remembers where it and its keys stand.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON knows")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(flag)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Scalar(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Scalar(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Node, E> {
        let number =
            Number::from_f64(number).ok_or_else(|| E::custom("only finite numbers have a meaning here"))?;
        Ok(Node::Scalar(Value::Number(number)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(text.into()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Node::Map(map))
    }
}

fn convert(node: Spanned<Node>, pointer: &str, places: &mut HashMap<String, Place>) -> Value {
    match node.value {
        Node::Scalar(value) => value,
        Node::List(items) => {
            let below = items.into_iter().enumerate().map(|(index, item)| {
                let below = format!("{pointer}/{index}");
                places.extend(place(item.referenced).map(|at| (below.clone(), at)));
                convert(item, &below, places)
            });
            Value::Array(below.collect())
        }
        Node::Map(fields) => {
            let below = fields.into_iter().map(|(key, value)| {
                let below = child(pointer, &key.value);
                let at = place(key.referenced).or_else(|| place(value.referenced));
                places.extend(at.map(|at| (below.clone(), at)));
                (key.value, convert(value, &below, places))
            });
            Value::Object(below.collect::<Map<_, _>>())
        }
    }
}

fn place(location: Location) -> Option<Place> {
    let line = u32::try_from(location.line()).ok().filter(|line| *line > 0)?;
    Some(Place { line, column: u32::try_from(location.column()).unwrap_or(u32::MAX) })
}
