//! Taking secrets out of what a plugin says for people: its output, its log, its progress, its errors.
//!
//! A plugin that prints what it was given would otherwise put it into logs, events and answers. Results are data and
//! stay as they are. Must not know which plugin it is.

mod spelling;

use crate::limits::MASKED_BYTES_MIN;
use hardpoint_model::{JobError, Secret};
use hardpoint_wire::WorkerMessage;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The values that are taken out. Cheap to clone; one without any costs nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask {
    /// The longest first: one may be a part of another.
    values: Arc<[Secret]>,
}

impl Mask {
    /// Output comes line by line, and so do secrets that have several.
    pub(crate) fn of(secrets: &BTreeMap<String, Secret>) -> Self {
        let lines = secrets.values().flat_map(|secret| secret.expose().lines()).map(str::trim);
        // Shorter ones are found by chance in what has nothing to do with them.
        let lines = lines.filter(|line| line.len() >= MASKED_BYTES_MIN);
        let mut values: Vec<Secret> = lines.flat_map(spelling::all).map(Secret::from).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.expose().len()));
        Self { values: values.into() }
    }

    pub(crate) fn text(&self, mut text: String) -> String {
        for value in self.values.iter().map(Secret::expose) {
            if text.contains(value) {
                text = text.replace(value, MASK);
            }
        }
        if self.values.is_empty() {
            return text;
        }
        match shortened(&text) {
            Some((head, mark, tail)) => format!("{}{mark}{}", self.end(head), self.begin(tail)),
            None => text,
        }
    }

    /// A text whose end was cut off: it may end within a secret.
    pub(crate) fn cut(&self, text: String) -> String {
        self.end(&self.text(text))
    }

    fn end(&self, text: &str) -> String {
        // A character that was cut through is none of the secret's any more.
        let whole = text.strip_suffix(char::REPLACEMENT_CHARACTER).unwrap_or(text);
        let found = self.values.iter().filter_map(|value| {
            let value = value.expose();
            let mut begins = value.char_indices().rev().filter_map(|(at, c)| value.get(..at + c.len_utf8()));
            begins.find(|begin| whole.ends_with(begin)).map(str::len)
        });
        let kept = found.max().and_then(|len| whole.get(..whole.len() - len));
        kept.map_or_else(|| text.to_owned(), |kept| format!("{kept}{MASK}"))
    }

    fn begin(&self, text: &str) -> String {
        let found = self.values.iter().filter_map(|value| {
            let value = value.expose();
            let mut ends = value.char_indices().filter_map(|(at, _)| value.get(at..));
            ends.find(|end| text.starts_with(end)).map(str::len)
        });
        let kept = found.max().and_then(|len| text.get(len..));
        kept.map_or_else(|| text.to_owned(), |kept| format!("{MASK}{kept}"))
    }

    /// What a worker says. Its log is masked where it is taken down.
    pub(crate) fn message(&self, mut message: WorkerMessage) -> WorkerMessage {
        if self.values.is_empty() {
            return message;
        }
        match &mut message {
            WorkerMessage::Error(failed) => self.error(&mut failed.error),
            WorkerMessage::Progress(progress) => self.mask(&mut progress.message),
            WorkerMessage::Ready(_)
            | WorkerMessage::Result(_)
            | WorkerMessage::Item(_)
            | WorkerMessage::Log(_)
            | WorkerMessage::Usage(_)
            | WorkerMessage::Pong(_) => {}
        }
        message
    }

    /// Every text of it: which of them a plugin puts a secret into is its own affair.
    fn error(&self, error: &mut JobError) {
        let JobError {
            error_type,
            message,
            original_exc_repr,
            traceback,
            fields_invalid,
            resource_shortfall,
            plugin_name,
            plugin_instance_id,
            category: _,
            retriable: _,
            retry_after_seconds: _,
            occurred_at: _,
            // The host's own words.
            exit_reason: _,
        } = error;
        self.mask(error_type);
        self.mask(message);
        let perhaps = [original_exc_repr, traceback, plugin_name, plugin_instance_id];
        perhaps.into_iter().flatten().for_each(|text| self.mask(text));
        fields_invalid.iter_mut().flatten().for_each(|text| self.mask(text));
        if let Some(shortfall) = resource_shortfall {
            self.mask(&mut shortfall.resource);
        }
    }

    fn mask(&self, text: &mut String) {
        *text = self.text(std::mem::take(text));
    }
}

/// What lies before, in and after the mark that a worker leaves where it took something out of a text that was too long.
fn shortened(text: &str) -> Option<(&str, &str, &str)> {
    const MARKS: [(&str, &str); 2] = [("\n... [", " bytes cut] ...\n"), ("... [cut: ", " bytes]")];
    MARKS.iter().find_map(|(begin, end)| {
        text.match_indices(begin).find_map(|(at, begin)| {
            let (count, tail) = text.get(at + begin.len()..)?.split_once(end)?;
            let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
            let mark = text.get(at..text.len() - tail.len())?;
            is_number.then_some((text.get(..at)?, mark, tail))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::{Category, ResourceShortfall};
    use hardpoint_wire::CallFailed;

    fn mask(values: &[&str]) -> Mask {
        let secrets = values.iter().enumerate();
        Mask::of(
            &secrets.map(|(at, value)| (format!("KEY_{at}"), Secret::from((*value).to_owned()))).collect(),
        )
    }

    #[test]
    fn every_line_of_every_secret_is_taken_out_unless_it_is_too_short_to_be_sure() {
        let mask =
            mask(&["planted-value", "planted-value-longer", "-----BEGIN-----\n  0123456789\n", "true"]);
        for (said, shown) in [
            ("key=planted-value, again planted-value", "key=***, again ***"),
            ("planted-value-longer", "***"),
            ("0123456789", "***"),
            ("true", "true"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(mask.text(said.to_owned()), shown);
        }
    }

    #[test]
    fn a_secret_is_taken_out_however_python_and_json_spell_it() {
        for (value, spellings) in [
            (
                r#"it's "q\uo\ted""#,
                &[
                    r#"it's "q\uo\ted""#,
                    r#"it\'s "q\\uo\\ted""#,
                    r#"it's \"q\\uo\\ted\""#,
                    r#"it\\'s "q\\\\uo\\\\ted""#,
                ][..],
            ),
            (
                "pässwörd-€😀",
                &[
                    r"pässwörd-€😀",
                    r"p\xe4ssw\xf6rd-\u20ac\U0001f600",
                    r"p\u00e4ssw\u00f6rd-\u20ac\ud83d\ude00",
                    r"p\xc3\xa4ssw\xc3\xb6rd-\xe2\x82\xac\xf0\x9f\x98\x80",
                ],
            ),
            ("tab\there\u{7f}\u{a0}\u{1}", &[r"tab\there\x7f\xa0\x01", r"tab\there\u007f\u00a0\u0001"]),
        ] {
            for said in spellings {
                assert_eq!(mask(&[value]).text(format!("<{said}>")), "<***>", "{value}");
            }
        }
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_of_a_text_that_was_cut_is_taken_out() {
        let mask = mask(&["planted-value", "pläntéd-välue"]);
        for (said, shown) in [
            ("key=planted-va", "key=***"),
            ("key=planted-value", "key=***"),
            ("key=pl\u{fffd}", "key=***"),
            ("key=plä", "key=***"),
            ("key=", "key="),
        ] {
            assert_eq!(mask.cut(said.to_owned()), shown);
        }
        for (said, shown) in [
            ("a plant\n... [17 bytes cut] ...\nd-value b", "a ***\n... [17 bytes cut] ...\n*** b"),
            ("a plan... [cut: 17000 bytes]", "a ***... [cut: 17000 bytes]"),
        ] {
            assert_eq!(mask.text(said.to_owned()), shown);
        }
    }

    #[test]
    fn an_error_that_names_a_secret_is_told_without_it() {
        let error = JobError::new(Category::Fatal, "ValueError", "bad key planted-value");
        let error = JobError {
            traceback: Some("key = planted-value".to_owned()),
            original_exc_repr: Some("ValueError('planted-value')".to_owned()),
            error_type: "Error planted-value".to_owned(),
            fields_invalid: Some(vec!["x".to_owned(), "planted-value".to_owned()]),
            resource_shortfall: Some(ResourceShortfall {
                resource: "vram planted-value".to_owned(),
                needed: 2.0,
                available: 1.0,
            }),
            ..error
        };
        let failed = CallFailed { id: 17, error, execution_time_ms: 1.0 };
        let masked = mask(&["planted-value"]).message(WorkerMessage::Error(Box::new(failed)));
        let told = format!("{masked:?}");
        assert!(!told.contains("planted") && told.contains("bad key ***"), "{told}");
    }
}
