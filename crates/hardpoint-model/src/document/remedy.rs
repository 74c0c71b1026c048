//! Owns the remedy for a value of the wrong type: how the right one is written. Findings that say
//! themselves what to write (`must be at least 1`, `is required`) need none.

/// How a value of the wanted type is written.
pub(crate) fn remedy(problem: &str) -> Option<&'static str> {
    const REMEDIES: [(&str, &str); 6] = [
        ("must be a string", "put the value in quotes"),
        ("must be an integer", "write a whole number without quotes"),
        ("must be a number", "write a number without quotes"),
        ("must be a list", "write a list in square brackets"),
        ("must be an object", "write it as a table of names and values"),
        ("must be a boolean", "write `true` or `false` without quotes"),
    ];
    // A value that may be of several types is not told to be just one of them.
    let wanted = problem.split(", got").next().unwrap_or(problem);
    REMEDIES.iter().find(|(kind, _)| wanted == *kind).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use crate::Manifest;

    #[test]
    fn a_value_of_the_wrong_type_comes_with_the_way_to_write_the_right_one() {
        let text = "name = 3\nversion = [1]\nentry = 'x:Y'\nspeed = 1\n[limits]\nmemory_mb = 'a lot'\n[needs]\n\
                    requires_gpu = 'yes'\ndependencies = 'numpy'\n";
        let mistakes = Manifest::parse(text, "hardpoint.toml").unwrap_err();
        assert_eq!(mistakes.items.len(), 6, "{mistakes}");
        for mistake in mistakes.items {
            assert!(mistake.hint.is_some(), "{mistake}");
        }
    }
}
