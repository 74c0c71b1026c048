//! `hardpoint plugin new NAME`: a folder with a plugin that works at once.

use crate::cli::exit_code::Code;
use crate::cli::{Shared, terminal};
use crate::embedded::{Failure, Places};
use clap::Args;
use hardpoint_model::PluginName;
use serde_json::json;
use std::fs;
use std::path::Path;

/// One new plugin.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// Name of the plugin: lower-case letters, digits, `-` and `_`
    name: String,
}

const MANIFEST: &str = include_str!("new/hardpoint.toml");
const MODULE: &str = include_str!("new/plugin.py");

pub(in crate::cli) fn run(args: &New, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let name = check_name(&args.name)?;
    let dir = places.plugins.join(name.as_str());
    if dir.exists() {
        return Err(Failure::request(format!("{} is already there", dir.display()), "choose another name"));
    }
    let module = format!("{}_plugin", name.as_str().replace('-', "_"));
    let module = if module.starts_with(|c: char| c.is_ascii_digit()) { format!("_{module}") } else { module };
    let class = class_name(name.as_str());
    let fill =
        |text: &str| text.replace("NAME", name.as_str()).replace("MODULE", &module).replace("CLASS", &class);
    write(&dir, &[("hardpoint.toml".to_owned(), fill(MANIFEST)), (format!("{module}.py"), fill(MODULE))])?;
    if shared.json {
        terminal::print_json(&json!({"ok": true, "name": name, "dir": dir.display().to_string()}))?;
    } else {
        terminal::print(format!("made {}", dir.display()))?;
        let folder =
            shared.plugins_dir.as_ref().map_or_else(String::new, |dir| format!(" --plugins-dir {dir}"));
        terminal::say(format!("try it: hardpoint call {name} greet name=world{folder}"));
    }
    Ok(Code::Ok)
}

/// Written beside and moved, so that a half-written plugin is never found.
fn write(dir: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::host(&format!("{} cannot be made", dir.display()), &e);
    let parent = dir.parent().unwrap_or(dir);
    fs::create_dir_all(parent).map_err(failed)?;
    let beside = tempfile::Builder::new().prefix(".new-").tempdir_in(parent).map_err(failed)?;
    for (name, text) in files {
        fs::write(beside.path().join(name), text).map_err(failed)?;
    }
    // Temporary folders are private; a plugin is an ordinary folder.
    let _ = fs::set_permissions(beside.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755));
    fs::rename(beside.path(), dir).map_err(failed)?;
    let _ = beside.keep();
    Ok(())
}

/// `my-plugin` becomes `MyPlugin`.
fn class_name(name: &str) -> String {
    let parts = name.split(['-', '_']).filter(|part| !part.is_empty());
    let name: String = parts
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("Plugin{name}") } else { name }
}

/// Whether a text can name a plugin; else why not, and a name that could.
pub(super) fn check_name(name: &str) -> Result<PluginName, Failure> {
    name.parse().map_err(|error: hardpoint_model::ids::NameError| {
        let hint = PluginName::suggested_for(name).map_or_else(
            || "use lower-case letters, digits, `-` and `_`".to_owned(),
            |suggested| format!("how about `{suggested}`"),
        );
        Failure::request(format!("`{name}` is no name for a plugin: it {error}"), hint)
    })
}
