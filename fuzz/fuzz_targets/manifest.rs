//! Whatever a plugin's author wrote into `hardpoint.toml`: a manifest or a list of mistakes, never a crash.
#![no_main]

use hardpoint_model::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(diagnostics) = Manifest::parse(text, "hardpoint.toml") {
        // Shown to people, so it must also be writable.
        assert!(!diagnostics.to_string().is_empty());
    }
});
