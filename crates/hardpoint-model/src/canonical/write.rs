//! Owns the canonical text of a value.

use super::node::Node;
use std::fmt::Write as _;

pub(super) fn text(node: &Node) -> String {
    let mut text = String::new();
    write(node, &mut text);
    text
}

fn write(node: &Node, text: &mut String) {
    match node {
        Node::Null => text.push_str("null"),
        Node::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Node::Integer(digits) => text.push_str(digits),
        Node::Float(float) => text.push_str(&repr(*float)),
        Node::Text(points) => quoted(points, text),
        Node::List(items) => list('[', ']', items, text, write),
        Node::Object(map) => list('{', '}', map, text, |(name, value), text| {
            quoted(name, text);
            text.push(':');
            write(value, text);
        }),
    }
}

fn list<T>(
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    text: &mut String,
    one: impl Fn(T, &mut String),
) {
    text.push(open);
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        one(item, text);
    }
    text.push(close);
}

fn quoted(points: &[u32], text: &mut String) {
    text.push('"');
    for &point in points {
        match char::from_u32(point) {
            Some('"') => text.push_str("\\\""),
            Some('\\') => text.push_str("\\\\"),
            Some('\u{8}') => text.push_str("\\b"),
            Some('\t') => text.push_str("\\t"),
            Some('\n') => text.push_str("\\n"),
            Some('\u{c}') => text.push_str("\\f"),
            Some('\r') => text.push_str("\\r"),
            Some(plain @ ' '..='~') => text.push(plain),
            Some(other) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
            None => {
                let _ = write!(text, "\\u{point:04x}");
            }
        }
    }
    text.push('"');
}

/// The exponents between which Python writes a number without one.
const PLAIN: std::ops::Range<i32> = -4..16;

/// A number as Python's `repr` writes it: the shortest digits that mean it.
fn repr(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    if !PLAIN.contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.unsigned_abs());
    }
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = usize::try_from(exponent + 1).unwrap_or(0);
    let zeros = "0".repeat(usize::try_from(-exponent).unwrap_or(0));
    match digits.split_at_checked(point) {
        _ if exponent < 0 => format!("{sign}0.{}{digits}", zeros.get(1..).unwrap_or_default()),
        Some((whole, rest)) if !rest.is_empty() => format!("{sign}{whole}.{rest}"),
        Some(_) | None => format!("{sign}{digits:0<point$}.0"),
    }
}
