//! Where a value comes from: somebody types it unseen, or a pipe brings it.
//!
//! Owns the refusal of values that everybody could read on the command line. No message here quotes one.

use super::Set;
use crate::cli::live::patiently;
use crate::cli::terminal::{self, Hidden};
use crate::embedded::Failure;
use hardpoint_model::Secret;
use hardpoint_secrets::limits::VALUE_BYTES_MAX;
use std::io::{IsTerminal as _, Read as _};

/// Refuses a value in the arguments.
pub(super) fn refuse_shown(args: &Set) -> Result<(), Failure> {
    if !args.shown.is_empty() || args.name.contains('=') {
        let hint = "leave it out: it is asked for, or read with `--stdin`; a real one should be replaced now";
        return Err(Failure::request(
            "a secret does not belong on the command line: others can read it there, and the shell keeps it",
            hint,
        ));
    }
    Ok(())
}

pub(super) async fn read(args: &Set) -> Result<Secret, Failure> {
    if args.stdin {
        return from_pipe();
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::request(
            "there is no terminal to ask for the value",
            "pipe it in with `--stdin`",
        ));
    }
    let hidden = Hidden::begin(&format!("value of {}: ", args.name))?;
    let line = patiently(async {
        let read = tokio::task::spawn_blocking(|| terminal::line(VALUE_BYTES_MAX + 2)).await;
        read.unwrap_or_else(|e| Err(Failure::host("the terminal cannot be read", &e)))
    });
    let line = line.await;
    drop(hidden);
    Ok(without_end(line?))
}

fn from_pipe() -> Result<Secret, Failure> {
    // One byte and the end of a line more than fits, so that what is too long is refused and not cut.
    let mut bytes = Vec::with_capacity(VALUE_BYTES_MAX + 4);
    let read = std::io::stdin().lock().take(VALUE_BYTES_MAX as u64 + 3).read_to_end(&mut bytes);
    read.map_err(|e| Failure::host("stdin cannot be read", &e))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::request(
            "the value is not UTF-8",
            "encode it, for example as base64, as its plugin expects it",
        )
    })?;
    Ok(without_end(text))
}

/// The end of the last line is the terminal's, or `echo`'s.
fn without_end(mut text: String) -> Secret {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Secret::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_the_last_line_is_left_out() {
        for (text, value) in
            [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), ("a\n\n", "a\n"), (" a b\t", " a b\t")]
        {
            assert_eq!(without_end(text.to_owned()).expose(), value);
        }
    }
}
