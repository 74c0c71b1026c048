//! The definition of a pipeline in a file.

use crate::embedded::{Failure, read_bounded};
use hardpoint_model::document::Format;
use hardpoint_model::{Pipeline, limits};
use std::path::Path;

/// Reads and checks its form; every mistake in it is told at once.
pub(in crate::cli) fn read(path: &Path) -> Result<Pipeline, Failure> {
    let file = path.display().to_string();
    if !path.is_file() {
        let message = format!("{file} cannot be read: there is no such file");
        return Err(Failure::request(message, "check the name of the pipeline's file"));
    }
    let format = Format::of_file_name(&file).filter(|format| *format != Format::Toml).ok_or_else(|| {
        Failure::request(
            format!("{file} is neither .yaml nor .json"),
            "a pipeline is written in YAML or JSON",
        )
    })?;
    let text = read_bounded(path, limits::PIPELINE_BYTES_MAX).map_err(|e| {
        Failure::request(format!("{file} cannot be read: {e}"), "check the name of the pipeline's file")
    })?;
    Pipeline::parse(&text, &file, format).map_err(Failure::Diagnostics)
}
