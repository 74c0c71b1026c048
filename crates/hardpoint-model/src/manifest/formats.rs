//! Owns the checks behind the `format` keywords of our schemas: shapes that a pattern could not explain.
//! Pure functions from a text to a sentence.

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use super::needs::Dependency;
use super::requirement::{Requirement, RequirementError};
use crate::canonical;
use crate::ids::PluginName;
use crate::limits::TOOL_NAME_CHARS_MAX;
use crate::platform;
use crate::schema::{Format, FormatProblem};
use crate::suggest::{closest, quoted};

type Checked = Result<(), FormatProblem>;

/// The formats of the manifest schema.
pub(super) const FORMATS: &[Format] = &[
    ("plugin-name", plugin_name),
    ("dialect", dialect),
    ("python-versions", python_versions),
    ("requirement", requirement),
    ("relative-path", relative_path),
    ("environment", environment),
    ("env-name", env_name),
    ("env-value", env_value),
    ("tool-name", tool_name),
    ("dependency", dependency),
    ("platform", platform_name),
    ("sha256", sha256),
    ("hash", hash),
];

/// The dialects that come with the host.
const DIALECTS: [&str; 5] = ["native", "forgesyte", "cjm", "rosey", "exec"];

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Checked {
    Err(FormatProblem { message: message.into(), hint: Some(hint.into()) })
}

fn plugin_name(text: &str) -> Checked {
    let Err(error) = text.parse::<PluginName>() else { return Ok(()) };
    let hint = PluginName::suggested_for(text).map(|name| format!("for example `{name}`"));
    Err(FormatProblem { message: format!("{error}, got `{}`", quoted(text)), hint })
}

fn dialect(text: &str) -> Checked {
    if DIALECTS.contains(&text) {
        return Ok(());
    }
    let hint = match closest(text, DIALECTS) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the dialects are {}", DIALECTS.map(|name| format!("`{name}`")).join(", ")),
    };
    wrong(format!("`{}` is not a known dialect", quoted(text)), hint)
}

fn python_versions(text: &str) -> Checked {
    match VersionSpecifiers::from_str(text) {
        Ok(_) => Ok(()),
        Err(_) => wrong(
            format!("`{}` is not a version specifier", quoted(text)),
            "write for example `>=3.10` or `>=3.10,<3.14`",
        ),
    }
}

fn requirement(text: &str) -> Checked {
    let Err(error) = text.parse::<Requirement>() else { return Ok(()) };
    let hint = match &error {
        RequirementError::Option => "put them into a file and name it in `lock`",
        RequirementError::Name(_)
        | RequirementError::Extras(_)
        | RequirementError::Versions(_)
        | RequirementError::Marker(_) => "write it as for `pip install`: `numpy>=2`",
    };
    wrong(error.to_string(), hint)
}

fn dependency(text: &str) -> Checked {
    match text.parse::<Dependency>() {
        Ok(_) => Ok(()),
        Err(error) => wrong(error.to_string(), "write for example `cv2` or `torch>=2.4`"),
    }
}

fn relative_path(text: &str) -> Checked {
    let leaves = text.split(['/', '\\']).any(|part| part == "..");
    if text.is_empty() {
        wrong("must not be empty", "name a file next to the manifest")
    } else if text.contains('\0') || text.chars().any(char::is_control) {
        wrong("contains a control character", "rename the file")
    } else if text.starts_with(['/', '\\', '~']) || text.get(1..3) == Some(":\\") || leaves {
        wrong(
            format!("`{}` leads out of the plugin's folder", quoted(text)),
            "put the file, or a link to it, into the plugin's folder",
        )
    } else {
        Ok(())
    }
}

fn environment(text: &str) -> Checked {
    if text.trim().is_empty() {
        wrong("must not be empty", "name the folder of an environment, or leave it out to have one built")
    } else if text.chars().any(char::is_control) {
        wrong("contains a control character", "rename the folder")
    } else if text.starts_with('~') {
        wrong(
            format!("`{}` is not a path: nothing stands for the home folder here", quoted(text)),
            "write the whole path, from `/` on",
        )
    } else {
        Ok(())
    }
}

fn env_name(text: &str) -> Checked {
    let upper = text.to_ascii_uppercase();
    let first_fits = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !first_fits || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || text.len() > 256 {
        return wrong("must be letters, digits and `_`, not starting with a digit", "rename the variable");
    }
    if upper.starts_with("HARDPOINT_") {
        return wrong(
            "names that start with `HARDPOINT_` belong to the host",
            "choose another name; the plugin gets its settings through its config",
        );
    }
    match upper.as_str() {
        "PYTHONPATH" => wrong(
            "the host sets `PYTHONPATH` so that the plugin sees its own environment and nothing else",
            "list the package under `python.requirements`, or put the module next to the manifest",
        ),
        "PYTHONHOME" => wrong(
            "it would point the plugin's Python away from its own environment",
            "name the interpreter with `python.requires`, or set HARDPOINT_PYTHON for the host",
        ),
        _ => Ok(()),
    }
}

/// Why a text is no name of a variable, and what to do about it.
pub(crate) fn check_env_name(text: &str) -> Result<(), (String, String)> {
    env_name(text).map_err(|problem| (problem.message, problem.hint.unwrap_or_default()))
}

fn env_value(text: &str) -> Checked {
    if text.contains('\0') {
        wrong("contains a NUL character", "remove it: no process can take it")
    } else {
        Ok(())
    }
}

fn tool_name(text: &str) -> Checked {
    let first_fits = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest_fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if first_fits && rest_fits && text.len() <= TOOL_NAME_CHARS_MAX {
        return Ok(());
    }
    wrong("a tool's name is letters, digits, `_`, `-` and `.`", "write it as the code names the tool")
}

fn platform_name(text: &str) -> Checked {
    match platform::check(text) {
        Ok(()) => Ok(()),
        Err(Some(meant)) => {
            wrong(format!("`{}` is not a platform", quoted(text)), format!("did you mean `{meant}`?"))
        }
        Err(None) => wrong(
            format!("`{}` is not a platform", quoted(text)),
            "write a system and a processor: `linux-x64`, `linux-arm64`, `darwin-arm64`, `win32-x64`",
        ),
    }
}

fn sha256(text: &str) -> Checked {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    wrong("must be 64 hexadecimal digits", "write the output of `sha256sum`")
}

fn hash(text: &str) -> Checked {
    match canonical::verify_hash(b"", text) {
        Ok(_) => Ok(()),
        Err(error) => wrong(error.to_string(), "take it out: `hardpoint plugin add` writes it"),
    }
}

/// Whether a manifest may set this variable for a worker.
pub fn is_variable_name(name: &str) -> bool {
    env_name(name).is_ok()
}

/// Whether `text` is the name of an entry point of installed metadata, or `name@distribution`.
pub(super) fn installed_name(text: &str) -> bool {
    let name = |text: &str| {
        text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '))
    };
    match text.split_once('@') {
        Some((entry, distribution)) => name(entry) && name(distribution),
        None => name(text),
    }
}

/// Whether `text` is `module:Class`, both dotted Python names.
pub(super) fn entry_point(text: &str) -> bool {
    let dotted = |names: &str| {
        names.split('.').all(|name| {
            name.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
    };
    text.split_once(':').is_some_and(|(module, class)| dotted(module) && dotted(class))
}
