//! What is wrong with a pipeline, as a person reads it.
//!
//! Owns the layout of several mistakes. Must not know who found them.

use std::fmt::Write as _;

/// What is wrong in one place, and what to do about it.
pub(crate) struct Told<'a> {
    pub(crate) message: &'a str,
    pub(crate) hint: &'a str,
}

/// A message and a hint. Each of several mistakes has its own hint, so that it is clear which is of which.
pub(crate) fn told(mistakes: &[Told<'_>]) -> (String, String) {
    if let [one] = mistakes {
        return (one.message.to_owned(), one.hint.to_owned());
    }
    let mut message = format!("the pipeline has {} mistakes", mistakes.len());
    for Told { message: wrong, hint } in mistakes {
        let _ = write!(message, "\n  {wrong}\n    hint: {hint}");
    }
    (message, "correct them all: nothing has run".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_told_once_with_its_own_remedy() {
        let (one, other) = (Told { message: "a", hint: "do a" }, Told { message: "b", hint: "do b" });
        assert_eq!(told(&[Told { ..one }]), ("a".to_owned(), "do a".to_owned()));
        let (message, hint) = told(&[one, other]);
        assert_eq!(message, "the pipeline has 2 mistakes\n  a\n    hint: do a\n  b\n    hint: do b");
        assert_eq!(hint, "correct them all: nothing has run");
    }
}
