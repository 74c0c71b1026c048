//! The marks in a worker's output: a line of its own that says which call the lines after it belong to.
//!
//! Owns how a mark is written, as docs/reference/protocol.md tells it. Pure.

/// What a mark begins with: no text does.
const MARK: &[u8] = b"\x1ehardpoint call ";
/// Longest number of a call.
const DIGITS_MAX: usize = 20;

/// The call that a line names; `Some(0)` for none, `None` when the line is no mark.
pub(super) fn call_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(MARK)?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_line_of_that_form_is_a_mark() {
        let cases: [(&[u8], Option<u64>); 9] = [
            (b"\x1ehardpoint call 17", Some(17)),
            (b"\x1ehardpoint call 0", Some(0)),
            (b"\x1ehardpoint call 18446744073709551615", Some(u64::MAX)),
            (b"\x1ehardpoint call 18446744073709551616", None),
            (b"\x1ehardpoint call ", None),
            (b"\x1ehardpoint call 17 ", None),
            (b"\x1ehardpoint call -1", None),
            (b" \x1ehardpoint call 17", None),
            (b"hardpoint call 17", None),
        ];
        for (line, expected) in cases {
            assert_eq!(call_of(line), expected, "{:?}", String::from_utf8_lossy(line));
        }
    }
}
