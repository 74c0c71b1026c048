//! Running other programs: shown before they run, and an error that can be copied into a terminal.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::tree;

/// The cargo that runs this command, so that one toolchain builds everything.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree::root());
    command
}

/// A program in the project's root.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(tree::root());
    command
}

/// Runs to the end with the terminal's own output; anything but success is an error.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let line = show(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs to the end and shows its output as a whole, once there is nothing more: for what runs beside others.
pub(crate) fn check_apart(command: &mut Command) -> Result<()> {
    let line = show(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("$ {line}\n{}{}", text(&output.stdout), text(&output.stderr));
    if !output.status.success() {
        bail!("`{line}` ended with {}", output.status);
    }
    Ok(())
}

/// Runs in silence and returns what was printed to stdout; anything but success is an error.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = show(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let first = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        bail!("`{line}` ended with {}: {first}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as a line for a shell, without the folder of its program.
fn show(command: &Command) -> String {
    let name = std::path::Path::new(command.get_program());
    let mut line = name.file_name().unwrap_or(name.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
