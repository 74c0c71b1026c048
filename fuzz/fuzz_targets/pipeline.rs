//! Whatever somebody wrote into a pipeline file, in each of its formats: a pipeline or a list of mistakes.
#![no_main]

use hardpoint_model::Pipeline;
use hardpoint_model::document::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for (format, file) in
        [(Format::Yaml, "pipeline.yaml"), (Format::Json, "pipeline.json"), (Format::Toml, "pipeline.toml")]
    {
        if let Err(diagnostics) = Pipeline::parse(text, file, format) {
            assert!(!diagnostics.to_string().is_empty());
        }
    }
});
