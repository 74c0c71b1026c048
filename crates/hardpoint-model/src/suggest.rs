//! Owns "did you mean". Knows names only, not what they name.

use crate::limits::{QUOTED_CHARS_MAX, SUGGESTION_NAMES_MAX};

/// The candidate nearest to `name`, when it is near enough to be a slip of the finger.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() > QUOTED_CHARS_MAX {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .take(SUGGESTION_NAMES_MAX)
        .filter(|candidate| candidate.len() <= 4 * QUOTED_CHARS_MAX)
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score <= 1 + lower.chars().count() / 4)
        .min_by_key(|(score, _)| *score)
        .map(|(_, candidate)| candidate)
}

/// A word that starts with the other one counts as one slip: `memory` for `memory_mb`.
fn distance(name: &str, candidate: &str) -> usize {
    let prefix = name.len() >= 3 && candidate.len() >= 3;
    if prefix && (candidate.starts_with(name) || name.starts_with(candidate)) {
        return 1;
    }
    strsim::damerau_levenshtein(name, candidate)
}

/// `text`, cut to a length that a message can carry, with control characters made visible.
pub(crate) fn quoted(text: &str) -> String {
    let mut chars = text.chars().flat_map(|c| {
        let visible: Box<dyn Iterator<Item = char>> =
            if c.is_control() { Box::new(c.escape_default()) } else { Box::new(std::iter::once(c)) };
        visible
    });
    let mut cut: String = chars.by_ref().take(QUOTED_CHARS_MAX).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let names = ["timeout_seconds", "memory_mb", "startup_seconds", "concurrency"];
        for (name, expected) in [
            ("timeout_second", Some("timeout_seconds")),
            ("timeout", Some("timeout_seconds")),
            ("memory", Some("memory_mb")),
            ("Concurency", Some("concurrency")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(closest(name, names), expected, "{name}");
        }
    }

    #[test]
    fn long_and_unprintable_text_is_cut_and_escaped() {
        assert_eq!(quoted("a\nb"), "a\\nb");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), QUOTED_CHARS_MAX + 1);
    }
}
