//! The definition of a pipeline in a file, or from a pipe.

use crate::embedded::Failure;
use hardpoint_model::document::Format;
use hardpoint_model::{Pipeline, limits};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// The name of stdin.
pub(super) const STDIN: &str = "-";

/// Reads and checks its form; every mistake in it is told at once.
pub(in crate::cli) fn read(path: &Path) -> Result<Pipeline, Failure> {
    let file = if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
    let unreadable = |why: &str, hint: &str| Failure::request(format!("{file} cannot be read: {why}"), hint);
    // A pipe has no ending, and JSON is YAML.
    let format = if is_pipe(path) {
        Format::Yaml
    } else {
        look(path).map_err(|(why, hint)| unreadable(&why, hint))?;
        Format::of_file_name(&file).filter(|format| *format != Format::Toml).ok_or_else(|| {
            let message = format!("{file} is neither .yaml nor .json");
            Failure::request(message, "a pipeline is written in YAML or JSON")
        })?
    };
    let bytes = bytes(path).map_err(|e| unreadable(&e.to_string(), "look at the rights of the file"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable("it is no text in UTF-8", "a pipeline is a text in YAML or JSON"))?;
    if text.trim().is_empty() {
        let hint = "write a list of stages, each with a `plugin` and a `tool`";
        return Err(Failure::request(format!("{file} is empty"), hint));
    }
    Pipeline::parse(&text, &file, format).map_err(Failure::Diagnostics)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// Whether there is no file behind it: stdin, or what a shell puts in its place (`<(…)`).
pub(super) fn is_pipe(path: &Path) -> bool {
    is_stdin(path) || path.metadata().is_ok_and(|there| there.file_type().is_fifo())
}

/// Why something that is no pipe is no file either.
fn look(path: &Path) -> Result<(), (String, &'static str)> {
    let name = "name the file of a pipeline";
    match path.metadata() {
        Ok(there) if there.is_file() => Ok(()),
        Ok(there) if there.is_dir() => Err(("it is a folder".to_owned(), name)),
        Ok(_) => Err(("it is a device or a socket".to_owned(), name)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(("there is no such file".to_owned(), "check the name of the pipeline's file"))
        }
        Err(e) => Err((e.to_string(), "check the name of the pipeline's file")),
    }
}

/// No more than one byte above what a definition may have, which the parser then refuses.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let (mut bytes, max) = (Vec::new(), limits::PIPELINE_BYTES_MAX as u64 + 1);
    if is_stdin(path) {
        io::stdin().lock().take(max).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(max).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
