//! The files of the project as the checks see them: read once, named by their path from the root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders, from the root, that hold what was built or fetched, or what Git keeps for itself.
const FOLDERS_SKIPPED: [&str; 8] =
    [".git", ".tools", "fuzz/artifacts", "fuzz/corpus", "fuzz/coverage", "fuzz/target", "out", "target"];

/// The same by name, wherever they lie.
const NAMES_SKIPPED: [&str; 3] = [".venv", "__pycache__", "node_modules"];

/// Text files are far smaller; what is bigger is a picture or a recording.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// The folder of the workspace, whatever folder the command was called from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// One text file.
pub(crate) struct SourceFile {
    /// From the root, with forward slashes: `xtask/src/tree.rs`.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    pub(crate) fn is_rust(&self) -> bool {
        self.has_suffix("rs")
    }

    pub(crate) fn is_python(&self) -> bool {
        self.has_suffix("py")
    }

    fn has_suffix(&self, suffix: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == suffix)
    }
}

/// Every text file of the project, sorted by path.
pub(crate) fn read_all() -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    collect(root(), &mut files)?;
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() && !is_skipped(&path) {
            collect(&path, files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= FILE_BYTES_MAX {
            // A file that is no text is no business of the checks.
            if let Ok(text) = fs::read_to_string(&path) {
                files.push(SourceFile { path: from_root(&path), text });
            }
        }
    }
    Ok(())
}

fn is_skipped(folder: &Path) -> bool {
    let path = from_root(folder);
    let name = path.rsplit('/').next().unwrap_or(&path);
    FOLDERS_SKIPPED.contains(&path.as_str()) || NAMES_SKIPPED.contains(&name) || name.ends_with("_cache")
}

fn from_root(path: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(root()).unwrap_or(path).to_path_buf();
    relative.to_string_lossy().replace('\\', "/")
}
