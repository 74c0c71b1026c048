//! The plugins of a folder: each sub-folder with a `hardpoint.toml`.
//!
//! Owns reading manifests. A broken manifest is listed with its mistakes and harms no other plugin.

use hardpoint_model::{Diagnostics, Manifest, limits};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

const MANIFEST: &str = "hardpoint.toml";

/// Why a plugin cannot be taken from a folder.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// No such folder, no such plugin, or two of it.
    #[error("{message}")]
    Request {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Its manifest has mistakes.
    #[error("{0}")]
    Diagnostics(Diagnostics),
}

impl CatalogError {
    fn request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Request { message: message.into(), hint: hint.into() }
    }
}

/// One plugin folder.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Name of the folder.
    pub folder: String,
    /// Its path.
    pub dir: PathBuf,
    /// What its manifest says, or what is wrong with it.
    pub manifest: Result<Manifest, Diagnostics>,
}

impl Installed {
    /// Reads the manifest of one folder.
    pub fn read(dir: PathBuf) -> Self {
        read_plugin(dir)
    }

    /// The name to call it by.
    pub fn name(&self) -> &str {
        self.manifest.as_ref().map_or(self.folder.as_str(), |manifest| manifest.name.as_str())
    }
}

/// All plugins of a folder, by name.
#[derive(Debug, Clone)]
pub struct Catalog {
    dir: PathBuf,
    plugins: Vec<Installed>,
}

impl Catalog {
    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the manifests of all sub-folders.
    pub fn read(dir: &Path) -> Result<Self, CatalogError> {
        let entries = fs::read_dir(dir).map_err(|e| {
            CatalogError::request(
                format!("there is no plugins folder at {}: {e}", dir.display()),
                "name one with `--plugins-dir DIR`, or make a first plugin with `hardpoint plugin new NAME`",
            )
        })?;
        let folders = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join(MANIFEST).symlink_metadata().is_ok());
        let mut plugins: Vec<Installed> = folders.map(read_plugin).collect();
        plugins.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(Self { dir: dir.to_owned(), plugins })
    }

    /// A folder without plugins.
    pub fn empty(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), plugins: Vec::new() }
    }

    /// The same folder with these plugins alone.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        self.plugins.retain(|plugin| wanted(plugin.name()));
        self
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Installed> {
        self.plugins.iter()
    }

    /// The plugin of this name, if there is exactly one and its manifest is sound.
    pub fn find(&self, name: &str) -> Result<(&Installed, &Manifest), CatalogError> {
        let mut named = self.plugins.iter().filter(|plugin| plugin.name() == name);
        let Some(plugin) = named.next() else { return Err(self.unknown(name)) };
        if let Some(other) = named.next() {
            return Err(CatalogError::request(
                format!(
                    "two plugins are called `{name}`: {} and {}",
                    plugin.dir.display(),
                    other.dir.display()
                ),
                "give one of them another `name` in its hardpoint.toml",
            ));
        }
        match &plugin.manifest {
            Ok(manifest) => Ok((plugin, manifest)),
            Err(diagnostics) => Err(CatalogError::Diagnostics(diagnostics.clone())),
        }
    }

    fn unknown(&self, name: &str) -> CatalogError {
        let known: Vec<String> = self.plugins.iter().map(|plugin| format!("`{}`", plugin.name())).collect();
        let message = format!("there is no plugin `{name}` in {}", self.dir.display());
        let hint = match known.as_slice() {
            [] => "the folder holds no plugin: make one with `hardpoint plugin new NAME`".to_owned(),
            known => {
                format!("there are {}; another folder is named with `--plugins-dir DIR`", known.join(", "))
            }
        };
        CatalogError::Request { message, hint }
    }
}

/// Reads the manifest of one folder.
pub(crate) fn read_plugin(dir: PathBuf) -> Installed {
    let folder = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = dir.join(MANIFEST);
    let shown = relative(&path);
    let manifest = match read_bounded(&path, limits::MANIFEST_BYTES_MAX) {
        Ok(text) => Manifest::parse(&text, &shown),
        Err(e) => Err(Diagnostics::of_file(&shown, format!("it cannot be read: {e}"), "check the file")),
    };
    Installed { folder, dir, manifest }
}

/// Reads a text file, but never more than one byte above `max`, which a parser then refuses.
pub fn read_bounded(path: &Path, max: usize) -> io::Result<String> {
    let mut bytes = Vec::new();
    // A pipe or a device would be read for ever.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)?.take(max as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// A path as a person in the current folder would write it.
fn relative(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
