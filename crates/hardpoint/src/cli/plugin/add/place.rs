//! Owns where a plugin goes in the plugins folder, and that it comes there whole: written beside, then one rename.
//!
//! ```text
//! PLUGINS/.add-XXXX/NAME/   tried there ──rename──> PLUGINS/NAME/          a new one
//!                                       ──two files, each renamed──> where it is    one that was added before
//! ```

use super::draft::{self, FOREIGN, MANIFEST};
use crate::embedded::{Catalog, Failure, Installed, Places};
use crate::foreign::Registration;
use hardpoint_model::PluginName;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Added,
    Refreshed,
    /// Nothing: it was only tried.
    Tried,
}

/// How somebody wants one plugin to be added.
pub(super) struct Wish {
    /// The name that it is to have.
    pub(super) name: Option<PluginName>,
    /// The options that give it another one.
    pub(super) rename: String,
    /// Whether it may take the place of another.
    pub(super) force: bool,
}

/// The place of one plugin.
pub(super) struct Target {
    name: PluginName,
    plugins: PathBuf,
    /// The same plugin, when it was added before.
    existing: Option<Installed>,
    rename: String,
    force: bool,
}

impl Target {
    pub(super) fn find(registration: &Registration, wish: Wish, places: &Places) -> Result<Self, Failure> {
        let Wish { name, rename, force } = wish;
        let catalog = Catalog::read(&places.plugins).unwrap_or_else(|_| Catalog::empty(&places.plugins));
        let fits = |plugin: &&Installed| {
            is_same(plugin, registration, force)
                && name.as_ref().is_none_or(|name| name.as_str() == plugin.name())
        };
        let existing = catalog.iter().find(fits).cloned();
        let of_existing =
            existing.as_ref().and_then(|plugin| Some(plugin.manifest.as_ref().ok()?.name.clone()));
        let name = name.or(of_existing).or_else(|| PluginName::suggested_for(&registration.name));
        let name = name.ok_or_else(|| {
            let message = format!("`{}` cannot be the name of a plugin here", registration.name);
            Failure::request(message, format!("give it one with `{rename}`"))
        })?;
        let target = Self { name, plugins: places.plugins.clone(), existing, rename, force };
        // Only the plugin itself knows the name of one that is a guess.
        if !registration.name_is_a_guess && !force {
            target.is_free()?;
        }
        Ok(target)
    }

    pub(super) fn name(&self) -> &PluginName {
        &self.name
    }

    /// The name that the plugin itself says, unless it has one here already.
    pub(super) fn knows_better(&mut self, own: &str) {
        if self.existing.is_none()
            && let Some(name) = PluginName::suggested_for(own)
        {
            self.name = name;
        }
    }

    fn dir(&self) -> PathBuf {
        self.existing
            .as_ref()
            .map_or_else(|| self.plugins.join(self.name.as_str()), |plugin| plugin.dir.clone())
    }

    fn is_free(&self) -> Result<(), Failure> {
        if self.existing.is_some() {
            return Ok(());
        }
        let catalog = Catalog::read(&self.plugins).unwrap_or_else(|_| Catalog::empty(&self.plugins));
        let namesake = catalog.iter().find(|plugin| plugin.name() == self.name.as_str());
        let taken = namesake.map(|plugin| plugin.dir.clone());
        let dir = self.dir();
        match taken.or_else(|| dir.symlink_metadata().is_ok().then_some(dir)) {
            None => Ok(()),
            Some(dir) => {
                let other = format!("give this one another name with `{}`", self.rename);
                Err(taken_by_another(&self.name, &dir, &other))
            }
        }
    }

    /// Writes the plugin beside its place.
    pub(super) fn draft(
        &self,
        registration: &Registration,
        places: &Places,
        dry_run: bool,
    ) -> Result<Draft, Failure> {
        let parent = if dry_run { &places.data } else { &self.plugins };
        let failed =
            |e: std::io::Error| Failure::host(&format!("{} cannot be written to", parent.display()), &e);
        let text = match &self.existing {
            Some(plugin) => draft::refreshed(&draft::text_in(&plugin.dir)?, registration)?,
            None => draft::fresh(registration, &self.name)?,
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let stage = tempfile::Builder::new().prefix(".add-").tempdir_in(parent).map_err(failed)?;
        // One level down: a folder with a manifest right here would be taken for a plugin.
        let dir = stage.path().join(self.name.as_str());
        let foreign =
            registration.foreign.as_ref().map(|manifest| foreign_text(manifest, self.existing.as_ref()));
        fs::create_dir(&dir).map_err(failed)?;
        fs::write(dir.join(MANIFEST), &text).map_err(failed)?;
        if let Some(foreign) = &foreign {
            fs::write(dir.join(FOREIGN), foreign).map_err(failed)?;
        }
        if let Some(plugin) = &self.existing {
            beside(&plugin.dir, &dir).map_err(failed)?;
        }
        Ok(Draft { _stage: stage, dir, text, foreign })
    }
}

/// A plugin beside its place; gone with the value unless it was put there.
pub(super) struct Draft {
    _stage: TempDir,
    dir: PathBuf,
    text: String,
    foreign: Option<String>,
}

impl Draft {
    pub(super) fn installed(&self) -> Installed {
        Installed::read(self.dir.clone())
    }

    /// Puts it where it belongs.
    pub(super) fn place(self, target: &Target, dry_run: bool) -> Result<(PathBuf, How), Failure> {
        let to = target.dir();
        let failed = |e: std::io::Error| Failure::host(&format!("{} cannot be written", to.display()), &e);
        if !target.force {
            target.is_free()?;
        }
        if dry_run {
            return Ok((to, How::Tried));
        }
        if target.existing.is_some() {
            // The manifest comes last: it is the one that counts.
            if let Some(foreign) = &self.foreign {
                replace(&to.join(FOREIGN), foreign).map_err(failed)?;
            }
            replace(&to.join(MANIFEST), &self.text).map_err(failed)?;
            return Ok((to, How::Refreshed));
        }
        let text = draft::renamed(&self.text, &target.name)?;
        replace(&self.dir.join(MANIFEST), &text).map_err(failed)?;
        if to.symlink_metadata().is_ok() {
            make_room(&to, &self.dir)?;
        }
        fs::rename(&self.dir, &to).map_err(failed)?;
        Ok((to, How::Added))
    }
}

/// `other` is how this plugin gets another name.
pub(super) fn taken_by_another(name: &PluginName, dir: &Path, other: &str) -> Failure {
    Failure::request(
        format!("{} is there already, and is another plugin than this `{name}`", dir.display()),
        format!("{other}, or let it take the place with `--force`"),
    )
}

/// Takes away what `add` itself has written. Code is nobody's to throw away but its owner's.
pub(super) fn make_room(to: &Path, stage: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::host(&format!("{} cannot be taken away", to.display()), &e);
    if to.is_symlink() {
        return fs::remove_file(to).map_err(failed);
    }
    let entries = fs::read_dir(to).map_err(failed)?.flatten();
    if entries.map(|entry| entry.file_name()).any(|name| name != MANIFEST && name != FOREIGN) {
        return Err(Failure::request(
            format!("{} holds more than `plugin add` writes", to.display()),
            "move it away yourself, then try again",
        ));
    }
    // Into the folder that goes with this attempt.
    fs::rename(to, stage.with_extension("old")).map_err(failed)
}

/// Whether a plugin that is there is the one that is to be added.
fn is_same(plugin: &Installed, registration: &Registration, anywhere: bool) -> bool {
    let Ok(manifest) = &plugin.manifest else { return false };
    let without_distribution = |entry: &str| entry.split('@').next().unwrap_or_default().to_owned();
    let environment = manifest.python.environment.as_ref().map(|given| plugin.dir.join(given));
    // A manifest of another host has a name that is the plugin's; one class may have several.
    let is_namesake = registration.foreign.as_ref().is_none_or(|foreign| {
        let there = draft::foreign_in(&plugin.dir).and_then(Result::ok);
        there.is_some_and(|there| there.name() == foreign.name())
    });
    is_namesake
        && manifest.dialect == registration.dialect
        && without_distribution(&manifest.entry) == without_distribution(&registration.entry)
        && environment.is_some_and(|given| anywhere || real(&given) == real(&registration.environment))
}

/// The folder of an environment's interpreter, however the environment was named.
fn real(environment: &Path) -> PathBuf {
    let python = hardpoint_env::interpreter_of(environment).unwrap_or_else(|| environment.to_owned());
    let folder = python.parent().unwrap_or(&python).to_owned();
    folder.canonicalize().unwrap_or(folder)
}

/// The other host's manifest to be kept; when it was installed stays what it was.
fn foreign_text(manifest: &crate::foreign::cjm::Manifest, existing: Option<&Installed>) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let before = existing.and_then(|plugin| draft::foreign_in(&plugin.dir)?.ok());
    let at = before.as_ref().and_then(|before| before.installed_at()).unwrap_or(&now);
    let mut manifest = manifest.clone();
    manifest.set_installed(at, concat!("hardpoint ", env!("CARGO_PKG_VERSION")));
    let text = serde_json::to_string_pretty(&manifest.rewritten(&now)).unwrap_or_default();
    format!("{text}\n")
}

/// Everything else of a folder, for a try in another one.
fn beside(from: &Path, to: &Path) -> std::io::Result<()> {
    let from = from.canonicalize()?;
    for entry in fs::read_dir(&from)?.flatten() {
        let name = entry.file_name();
        if name != MANIFEST && name != FOREIGN {
            symlink(from.join(&name), to.join(&name))?;
        }
    }
    Ok(())
}

/// A file with a new text: all of it, or the old one.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    // Temporary files are private; a manifest is an ordinary file.
    new.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    new.persist(file)?;
    Ok(())
}
