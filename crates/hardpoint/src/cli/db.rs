//! `hardpoint db check|backup`: looking after the database, whether a server runs or not.
//!
//! Owns words and exit codes. What is looked at, and how it is copied, is the store's.

use super::exit_code::Code;
use super::{Shared, show, terminal};
use crate::embedded::{Failure, Places};
use clap::{Args, Subcommand};
use hardpoint_store::{BackupError, Store, StoreError};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What can be done with the database.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Jobs, their results and events are kept in `hardpoint.db` in the data folder. Both commands work on that file, while a \
server uses it, too.

Examples:
  hardpoint db check
  hardpoint db backup /backup/hardpoint.db
  hardpoint db check --data-dir /var/lib/hardpoint --json")]
pub(super) enum Db {
    /// Look whether the database is sound; exit code 1 when it is not
    Check,
    /// Make a copy as of now
    Backup(Backup),
}

/// Where the copy goes.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// A file that is not there yet
    file: PathBuf,
}

pub(super) fn run(db: &Db, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let path = Store::path_in(&places.data);
    if !path.is_file() {
        return Err(Failure::request(
            format!("there is no database in {}", places.data.display()),
            "name the server's data folder with `--data-dir DIR`; a server makes one when it is started",
        ));
    }
    match db {
        Db::Check => check(&path, shared),
        Db::Backup(args) => backup(&path, &args.file, shared),
    }
}

fn check(path: &Path, shared: &Shared) -> Result<Code, Failure> {
    let (damage, faults, counts) = match Store::check(path) {
        Ok(report) => (report.damage, report.faults, Some((report.jobs, report.last_event))),
        // It is what was asked for, not trouble of the command's.
        Err(StoreError::Corrupt(why)) => (vec![why], Vec::new(), None),
        Err(error) => return Err(error.into()),
    };
    let sound = damage.is_empty() && faults.is_empty();
    let (jobs, last_event) = counts.unzip();
    if shared.json {
        terminal::print_json(&json!({"ok": sound, "file": path, "jobs": jobs, "last_event": last_event,
            "damage": damage, "faults": faults}))?;
    } else if sound {
        let (jobs, last) = counts.unwrap_or_default();
        terminal::print(format!("{} is sound: {jobs} jobs, last event {last}", path.display()))?;
    } else {
        for line in damage.iter().chain(&faults) {
            terminal::print(line)?;
        }
        let hint = "stop the server and put a backup in its place; `hardpoint db backup FILE` makes them";
        return Ok(told(path, hint));
    }
    Ok(if sound { Code::Ok } else { Code::Tool })
}

fn told(path: &Path, hint: &str) -> Code {
    let _ = Code::Tool.tell(&format!("{} is not sound", path.display()), Some(hint));
    Code::Tool
}

fn backup(path: &Path, to: &Path, shared: &Shared) -> Result<Code, Failure> {
    Store::backup(path, to).map_err(|error| match error {
        BackupError::Store(error) => error.into(),
        BackupError::Taken(_) | BackupError::Target { .. } => {
            Failure::request(error.to_string(), error.hint())
        }
    })?;
    let bytes = fs::metadata(to).map_or(0, |metadata| metadata.len());
    if shared.json {
        terminal::print_json(&json!({"ok": true, "file": to, "bytes": bytes}))?;
    } else {
        terminal::print(format!("{} ({})", to.display(), show::size(bytes)))?;
    }
    Ok(Code::Ok)
}
