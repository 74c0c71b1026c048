//! Taking secrets out of what a plugin says for people: its output, its log, its progress, its errors.
//!
//! A plugin that prints what it was given would otherwise put it into logs, events and answers. Results are data and
//! stay as they are. Must not know which plugin it is.

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
        let mut values: Vec<Secret> = lines.map(|line| Secret::from(line.to_owned())).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.expose().len()));
        Self { values: values.into() }
    }

    pub(crate) fn text(&self, mut text: String) -> String {
        for value in self.values.iter().map(Secret::expose) {
            if text.contains(value) {
                text = text.replace(value, MASK);
            }
        }
        text
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

    fn error(&self, error: &mut JobError) {
        self.mask(&mut error.message);
        error.traceback.iter_mut().for_each(|text| self.mask(text));
        error.original_exc_repr.iter_mut().for_each(|text| self.mask(text));
    }

    fn mask(&self, text: &mut String) {
        *text = self.text(std::mem::take(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::Category;
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
    fn an_error_that_names_a_secret_is_told_without_it() {
        let error = JobError::new(Category::Fatal, "ValueError", "bad key planted-value");
        let error = JobError {
            traceback: Some("key = planted-value".to_owned()),
            original_exc_repr: Some("ValueError('planted-value')".to_owned()),
            ..error
        };
        let failed = CallFailed { id: 17, error, execution_time_ms: 1.0 };
        let masked = mask(&["planted-value"]).message(WorkerMessage::Error(Box::new(failed)));
        let told = format!("{masked:?}");
        assert!(!told.contains("planted") && told.contains("bad key ***"), "{told}");
    }
}
