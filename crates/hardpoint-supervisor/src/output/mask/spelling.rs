//! How a secret looks once a plugin wrote it as a literal: what `repr`, `ascii` and JSON make of it.
//!
//! Pure. Must not know where it is looked for.

use crate::limits::MASKED_TWICE_BYTES_MAX;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One way to write a text as a literal.
#[derive(Debug, Clone, Copy)]
enum Spelling {
    /// Python's `repr`, which escapes the quote that stands around it or none; `ascii` has no other letters.
    Python { quote: Option<char>, ascii: bool },
    /// Python's `repr` of the bytes.
    Bytes { quote: Option<char> },
    /// JSON; Python's has no letters but those of ASCII unless it is told to.
    Json { ascii: bool },
}

const SPELLINGS: [Spelling; 8] = [
    Spelling::Python { quote: None, ascii: false },
    Spelling::Python { quote: None, ascii: true },
    Spelling::Python { quote: Some('\''), ascii: false },
    Spelling::Python { quote: Some('\''), ascii: true },
    Spelling::Bytes { quote: None },
    Spelling::Bytes { quote: Some('\'') },
    Spelling::Json { ascii: false },
    Spelling::Json { ascii: true },
];

/// A text and all its spellings. Most have one alone: nothing in them needs an escape.
pub(super) fn all(text: &str) -> BTreeSet<String> {
    let mut found = once(text);
    if text.len() <= MASKED_TWICE_BYTES_MAX {
        // The `repr` of an exception that tells of a `repr`.
        found = found.iter().flat_map(|spelt| once(spelt)).collect();
    }
    found
}

fn once(text: &str) -> BTreeSet<String> {
    let spelt = SPELLINGS.iter().map(|spelling| spelling.of(text));
    spelt.chain([text.to_owned()]).collect()
}

impl Spelling {
    fn of(self, text: &str) -> String {
        let mut spelt = String::with_capacity(text.len());
        text.chars().for_each(|c| self.write(c, &mut spelt));
        spelt
    }

    fn write(self, c: char, to: &mut String) {
        let code = u32::from(c);
        // Writing to a text cannot fail.
        let _ = match (self, c) {
            (_, '\\') => to.write_str("\\\\"),
            (_, '\n') => to.write_str("\\n"),
            (_, '\r') => to.write_str("\\r"),
            (_, '\t') => to.write_str("\\t"),
            (Self::Json { .. }, '"') => to.write_str("\\\""),
            (Self::Json { .. }, '\u{8}') => to.write_str("\\b"),
            (Self::Json { .. }, '\u{c}') => to.write_str("\\f"),
            (Self::Python { quote, .. } | Self::Bytes { quote }, _) if quote == Some(c) => {
                write!(to, "\\{c}")
            }
            (_, ' '..='~') => to.write_char(c),
            (Self::Json { ascii: false }, _) if code >= 0x20 => to.write_char(c),
            (Self::Json { .. }, _) => {
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(to, "\\u{unit:04x}"))
            }
            (Self::Bytes { .. }, _) => {
                c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(to, "\\x{byte:02x}"))
            }
            (Self::Python { ascii: false, .. }, _) if is_shown(c) => to.write_char(c),
            (Self::Python { .. }, _) if code <= 0xff => write!(to, "\\x{code:02x}"),
            (Self::Python { .. }, _) if code <= 0xffff => write!(to, "\\u{code:04x}"),
            (Self::Python { .. }, _) => write!(to, "\\U{code:08x}"),
        };
    }
}

/// Whether `repr` leaves a letter as it is. Rust has the same rule, but for an accent that begins a text.
fn is_shown(c: char) -> bool {
    format!("a{c}").escape_debug().count() == 2
}
