//! One version for everything that is released together: the crates, the Python package, the change log.

use anyhow::{Context as _, Result};
use toml::Table;

use crate::tree::SourceFile;

pub(super) fn check(files: &[SourceFile]) -> Result<Vec<String>> {
    let workspace = table(files, "Cargo.toml")?.context("there is no Cargo.toml")?;
    let package = workspace.get("workspace").and_then(|workspace| workspace.get("package"));
    let of_package = |key| package.and_then(|package| package.get(key)).and_then(|value| value.as_str());
    let version = of_package("version").context("Cargo.toml: no workspace.package.version")?;
    let rust = of_package("rust-version").context("Cargo.toml: no workspace.package.rust-version")?;

    let mut complaints = Vec::new();
    check_python(files, version, &mut complaints)?;
    check_toolchain(files, rust, &mut complaints)?;
    let log = files.iter().find(|file| file.path == "CHANGELOG.md").map_or("", |file| file.text.as_str());
    if !log.contains(version) {
        complaints.push(format!("CHANGELOG.md: does not mention {version}"));
    }
    Ok(complaints)
}

/// `project.version` where a pyproject.toml has one, and every `__version__`.
fn check_python(files: &[SourceFile], version: &str, complaints: &mut Vec<String>) -> Result<()> {
    let project = table(files, "python/pyproject.toml")?;
    let declared = project.as_ref().and_then(|table| table.get("project")).and_then(|it| it.get("version"));
    if let Some(declared) = declared.and_then(|value| value.as_str())
        && declared != version
    {
        complaints.push(format!("python/pyproject.toml: version {declared}, but the crates have {version}"));
    }
    for file in files.iter().filter(|file| file.is_python() && file.path.starts_with("python/hardpoint/")) {
        for line in file.text.lines() {
            let Some(value) = line.strip_prefix("__version__ = ") else { continue };
            if value.trim_matches('"') != version {
                complaints.push(format!("{}: `{line}`, but the crates have {version}", file.path));
            }
        }
    }
    Ok(())
}

/// The toolchain that builds the project is the oldest that it promises to build with.
fn check_toolchain(files: &[SourceFile], rust: &str, complaints: &mut Vec<String>) -> Result<()> {
    let pinned = table(files, "rust-toolchain.toml")?;
    let channel = pinned.as_ref().and_then(|table| table.get("toolchain")).and_then(|it| it.get("channel"));
    match channel.and_then(|value| value.as_str()) {
        Some(channel) if channel == rust || channel.starts_with(&format!("{rust}.")) => {}
        found => {
            complaints.push(format!("rust-toolchain.toml: channel {found:?}, but rust-version is {rust}"));
        }
    }
    Ok(())
}

fn table(files: &[SourceFile], path: &str) -> Result<Option<Table>> {
    let Some(file) = files.iter().find(|file| file.path == path) else { return Ok(None) };
    Ok(Some(file.text.parse().with_context(|| format!("{path} is not valid TOML"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(python: &str, channel: &str) -> usize {
        let texts = [
            ("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\nrust-version = \"1.95\"\n".to_owned()),
            ("rust-toolchain.toml", format!("[toolchain]\nchannel = \"{channel}\"\n")),
            ("python/hardpoint/__init__.py", format!("__version__ = \"{python}\"\n")),
            ("CHANGELOG.md", "0.1.0".to_owned()),
        ];
        let files = texts.map(|(path, text)| SourceFile { path: path.to_owned(), text });
        check(&files).unwrap().len()
    }

    #[test]
    fn versions_out_of_step_are_found() {
        assert_eq!(complaints("0.1.0", "1.95.0"), 0);
        assert_eq!(complaints("0.2.0", "1.95.0"), 1);
        assert_eq!(complaints("0.1.0", "1.94.0"), 1);
    }
}
