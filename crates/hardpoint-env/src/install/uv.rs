//! Owns getting uv: the one that is named, the one on `PATH`, or one installed once for this data directory.
//! Not having uv is no error: pip does the same, more slowly.

use std::path::{Path, PathBuf};

use super::Build;
use crate::error::EnvError;
use crate::event::Listener;
use crate::layout::{Marker, Slot};
use crate::settings::is_executable;

/// Counted up when another uv must be installed.
const FORMAT: u32 = 1;
const KEY: &str = "uv";
const PROGRAM: &str = "bin/uv";

/// The uv to use, installed now if need be; `None` when there is none to be had.
pub(super) async fn find_or_install(build: &Build<'_>, on_event: Listener<'_>) -> Option<PathBuf> {
    let named = build.machine.settings.get("HARDPOINT_UV").map(PathBuf::from);
    if let Some(uv) = named.or_else(|| build.machine.settings.on_path("uv").next()) {
        if is_executable(&uv) {
            return Some(uv);
        }
        build.tell(
            KEY,
            &format!("HARDPOINT_UV names {}, which is not a program: using pip", uv.display()),
            on_event,
        );
        return None;
    }
    match install(build, on_event).await {
        Ok(uv) => Some(uv),
        Err(error) => {
            build.tell(KEY, "uv cannot be installed: using pip, which is slower", on_event);
            tracing::warn!(%error, "uv cannot be installed, pip is used instead");
            None
        }
    }
}

/// The uv that was installed for this data directory before.
pub(crate) fn installed(tools: &Path) -> Option<PathBuf> {
    let (folder, _) = Slot::new(tools, KEY).ready(FORMAT, KEY)?;
    Some(folder.join(PROGRAM))
}

/// Built beside and switched like an environment, under a lock of its own.
async fn install(build: &Build<'_>, on_event: Listener<'_>) -> Result<PathBuf, EnvError> {
    let slot = Slot::new(build.tools, KEY);
    if let Some((folder, _)) = slot.ready(FORMAT, KEY) {
        return Ok(folder.join(PROGRAM));
    }
    let held = slot.lock(build.plugin, on_event).await?;
    if let Some((folder, _)) = slot.ready(FORMAT, KEY) {
        return Ok(folder.join(PROGRAM));
    }
    let folder = slot.new_build(&held).await?;
    build.tell(KEY, "installing uv, once for this data directory", on_event);
    let beside = Build { folder: &folder, ..*build };
    beside.venv(&[], on_event).await?;
    let pip = beside.program(folder.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--no-input",
        "--progress-bar",
        "off",
        "--only-binary",
        ":all:",
        "uv",
    ]);
    beside.run(KEY, &pip, on_event).await?;
    let marker = Marker {
        format: FORMAT,
        key: KEY.to_owned(),
        python_version: build.python.version.clone(),
        program: PROGRAM.into(),
        made_by: "pip".to_owned(),
    };
    slot.switch(&held, &folder, &marker).await?;
    Ok(folder.join(PROGRAM))
}
