//! Owns reading JSON as Python reads it: `NaN` and its kin, integers of any length, halves of surrogate pairs, and the last
//! of several equal keys.

use super::node::{Node, Points};
use crate::limits::NESTING_MAX;
use std::collections::BTreeMap;

/// The text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}")]
pub struct NotJson {
    /// What is wrong: `expected a value`.
    pub what: &'static str,
    /// Where, in characters from 0.
    pub at: usize,
}

pub(super) fn read(text: &str) -> Result<Node, NotJson> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    let node = reader.value(0)?;
    reader.skip_space();
    if reader.at < reader.chars.len() { Err(reader.wrong("something behind the end")) } else { Ok(node) }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

type Make = fn() -> Node;

/// Words that are values.
const WORDS: [(&str, Make); 6] = [
    ("null", || Node::Null),
    ("true", || Node::Bool(true)),
    ("false", || Node::Bool(false)),
    ("NaN", || Node::Float(f64::NAN)),
    ("Infinity", || Node::Float(f64::INFINITY)),
    ("-Infinity", || Node::Float(f64::NEG_INFINITY)),
];

impl Reader {
    fn wrong(&self, what: &'static str) -> NotJson {
        NotJson { what, at: self.at }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    /// The next character, if it is this one.
    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn value(&mut self, depth: usize) -> Result<Node, NotJson> {
        if depth > NESTING_MAX {
            return Err(self.wrong("nested too deeply"));
        }
        self.skip_space();
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some('"') => self.text().map(Node::Text),
            _ => match self.word() {
                Some(node) => Ok(node),
                None => self.number(),
            },
        }
    }

    fn word(&mut self) -> Option<Node> {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let fits = |word: &str| word.chars().enumerate().all(|(place, c)| rest.get(place) == Some(&c));
        let (word, node) = WORDS.iter().find(|(word, _)| fits(word))?;
        self.at += word.len();
        Some(node())
    }

    fn list(&mut self, depth: usize) -> Result<Node, NotJson> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(']') {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends_with(']')? {
                return Ok(Node::List(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, NotJson> {
        let mut map = BTreeMap::new();
        self.at += 1;
        self.skip_space();
        if self.take('}') {
            return Ok(Node::Object(map));
        }
        loop {
            self.skip_space();
            if self.peek() != Some('"') {
                return Err(self.wrong("expected a key in quotes"));
            }
            let name = self.text()?;
            self.skip_space();
            if !self.take(':') {
                return Err(self.wrong("expected a colon"));
            }
            let value = self.value(depth + 1)?;
            map.insert(name, value);
            if self.ends_with('}')? {
                return Ok(Node::Object(map));
            }
        }
    }

    /// Behind an item: whether it was the last.
    fn ends_with(&mut self, close: char) -> Result<bool, NotJson> {
        self.skip_space();
        if self.take(close) {
            Ok(true)
        } else if self.take(',') {
            Ok(false)
        } else {
            Err(self.wrong("expected a comma or the end"))
        }
    }

    fn text(&mut self) -> Result<Points, NotJson> {
        let mut points = Points::new();
        self.at += 1;
        loop {
            let Some(next) = self.peek() else { return Err(self.wrong("a text without its end")) };
            self.at += 1;
            match next {
                '"' => return Ok(points),
                '\\' => self.escaped(&mut points)?,
                '\0'..='\u{1f}' => return Err(self.wrong("a control character")),
                plain => points.push(u32::from(plain)),
            }
        }
    }

    fn escaped(&mut self, points: &mut Points) -> Result<(), NotJson> {
        let Some(next) = self.peek() else { return Err(self.wrong("a text without its end")) };
        self.at += 1;
        let plain = match next {
            '"' | '\\' | '/' => next,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit()?;
                let pair = match points.last() {
                    Some(&high @ 0xD800..=0xDBFF) if (0xDC00..=0xDFFF).contains(&unit) => {
                        Some(0x1_0000 + ((high - 0xD800) << 10) + (unit - 0xDC00))
                    }
                    Some(_) | None => None,
                };
                if pair.is_some() {
                    points.pop();
                }
                points.push(pair.unwrap_or(unit));
                return Ok(());
            }
            _ => return Err(self.wrong("an escape that is not known")),
        };
        points.push(u32::from(plain));
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, NotJson> {
        let digits: Option<String> =
            self.chars.get(self.at..self.at + 4).map(|digits| digits.iter().collect());
        let unit = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = unit.and_then(|digits| u32::from_str_radix(&digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.wrong("an escape without its four digits"))
    }

    fn number(&mut self) -> Result<Node, NotJson> {
        let start = self.at;
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        while self.peek().is_some_and(is_part) {
            self.at += 1;
        }
        let digits: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        let whole = digits.strip_prefix('-').unwrap_or(&digits);
        let begins_well = match whole.as_bytes() {
            [b'0', next, ..] => !next.is_ascii_digit(),
            [first, ..] => first.is_ascii_digit(),
            [] => false,
        };
        let is_integer = begins_well && whole.bytes().all(|b| b.is_ascii_digit());
        if is_integer {
            return Ok(Node::Integer(if whole == "0" { whole.to_owned() } else { digits }));
        }
        let float = digits.parse().ok().filter(|_| begins_well && !has_bare_point(whole));
        float.map(Node::Float).ok_or(NotJson { what: "expected a value", at: start })
    }
}

/// Rust reads `1.` and `1.e5`, JSON does not.
fn has_bare_point(digits: &str) -> bool {
    digits.split_once('.').is_some_and(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_digit()))
}
