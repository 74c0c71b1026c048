//! Finding and reading the sources of the configuration.

use crate::embedded::{Failure, default_data, default_plugins, read_bounded};
use hardpoint_model::config::{self, ConfigFile, Flag, Loaded, Sources};
use hardpoint_model::document::Format;
use hardpoint_model::limits::CONFIG_BYTES_MAX;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The file that is read when none is named, if it is there.
const FILE: &str = "hardpoint.yaml";

/// What the command line says about the configuration.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The file that was named.
    pub(crate) file: Option<PathBuf>,
    /// The options that set keys.
    pub(crate) flags: Vec<Flag>,
}

/// The configuration of this process.
pub(crate) fn read(wanted: Wanted) -> Result<Loaded, Failure> {
    let here = std::env::current_dir().map_err(|e| Failure::host("the current folder is gone", &e))?;
    let variables = variables(std::env::vars_os())?;
    let path = wanted.file.or_else(|| Some(PathBuf::from(FILE)).filter(|path| here.join(path).exists()));
    let file = path.map(|path| read_file(&path)).transpose()?;
    let mut defaults = vec![("plugins_dir", default_plugins(&here))];
    defaults.extend(default_data().map(|data| ("data_dir", data)));
    let defaults = defaults.into_iter().filter_map(|(key, path)| Some((key, path.to_str()?.to_owned())));
    let sources = Sources {
        flags: wanted.flags,
        variables,
        file: file.as_ref().map(Read::as_source),
        defaults: defaults.collect(),
        here: Some(&here),
    };
    config::load(&sources).map_err(Failure::Diagnostics)
}

/// Our variables as text.
fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Failure> {
    let ours = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = ours.filter(|(name, _)| name.starts_with("HARDPOINT_"));
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(Failure::request(
            format!("the environment variable {name} is not UTF-8"),
            "set it to a text, or leave it out",
        )),
    })
    .collect()
}

struct Read {
    name: String,
    text: String,
    format: Format,
    folder: PathBuf,
}

impl Read {
    fn as_source(&self) -> ConfigFile<'_> {
        ConfigFile { name: &self.name, text: &self.text, format: self.format, folder: &self.folder }
    }
}

fn read_file(path: &Path) -> Result<Read, Failure> {
    let name = path.display().to_string();
    let format = Format::of_file_name(&name).ok_or_else(|| {
        Failure::request(
            format!("the configuration file {name} is neither .yaml, .toml nor .json"),
            "name a file with one of these endings with `--config FILE`",
        )
    })?;
    let text = read_bounded(path, CONFIG_BYTES_MAX).map_err(|e| {
        Failure::request(
            format!("the configuration file {name} cannot be read: {e}"),
            "check the name after `--config` or in HARDPOINT_CONFIG",
        )
    })?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Read { name, text, format, folder })
}
