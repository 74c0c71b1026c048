//! Owns adding a folder that is a plugin of this host already: a link in the plugins folder.

use super::place::{How, make_room, taken_by_another};
use crate::embedded::{Catalog, Failure, Installed, Places};
use hardpoint_model::PluginName;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A link to be.
pub(super) struct Link {
    source: PathBuf,
    name: PluginName,
    to: PathBuf,
    /// Whether the plugin is there already, by a link or by itself.
    is_there: bool,
}

impl Link {
    pub(super) fn to(folder: &Path, places: &Places) -> Result<Self, Failure> {
        let source = folder.canonicalize().map_err(|e| {
            Failure::request(format!("{} cannot be entered: {e}", folder.display()), "check the path")
        })?;
        let installed = Installed::read(source.clone());
        let name = installed.manifest.map_err(Failure::Diagnostics)?.name;
        let catalog = Catalog::read(&places.plugins).unwrap_or_else(|_| Catalog::empty(&places.plugins));
        let there = catalog.iter().find(|plugin| plugin.dir.canonicalize().is_ok_and(|dir| dir == source));
        let to = there.map_or_else(|| places.plugins.join(name.as_str()), |plugin| plugin.dir.clone());
        Ok(Self { source, name, to, is_there: there.is_some() })
    }

    pub(super) fn name(&self) -> &PluginName {
        &self.name
    }

    pub(super) fn installed(&self) -> Installed {
        Installed::read(self.source.clone())
    }

    pub(super) fn place(&self, force: bool, dry_run: bool) -> Result<(PathBuf, How), Failure> {
        let to = self.to.clone();
        let failed = |e: std::io::Error| Failure::host(&format!("{} cannot be linked", to.display()), &e);
        if self.is_there {
            return Ok((to, if dry_run { How::Tried } else { How::Refreshed }));
        }
        let is_taken = to.symlink_metadata().is_ok();
        if is_taken && !force {
            let other = "give this one another `name` in its hardpoint.toml";
            return Err(taken_by_another(&self.name, &to, other));
        }
        if dry_run {
            return Ok((to, How::Tried));
        }
        let parent = to.parent().unwrap_or(&to);
        fs::create_dir_all(parent).map_err(failed)?;
        let stage = tempfile::Builder::new().prefix(".add-").tempdir_in(parent).map_err(failed)?;
        let beside = stage.path().join(self.name.as_str());
        symlink(&self.source, &beside).map_err(failed)?;
        if is_taken {
            make_room(&to, &beside)?;
        }
        fs::rename(&beside, &to).map_err(failed)?;
        Ok((to, How::Added))
    }
}
