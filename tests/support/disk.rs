//! Disks that are small, or that break: real file systems, mounted for one test and gone with it.
//!
//! Owns the mounting, which not every user may do; a test that cannot have its disk says so and is over.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A file system of its own. Dropping it unmounts it, whoever still uses it.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// A disk in memory of so many MiB.
    pub(crate) fn in_memory(mb: u32) -> Option<Self> {
        let disk = Self::empty();
        disk.mounted(&["-t", "tmpfs", "-o", &format!("size={mb}m"), "tmpfs"])
    }

    /// A disk in a file of so many MiB, which can be made to fail as a broken one does.
    pub(crate) fn in_file(mb: u64) -> Option<Self> {
        let disk = Self::empty();
        let image = disk.folder.path().join("image");
        File::create(&image).unwrap().set_len(mb << 20).unwrap();
        let made = command("mkfs.ext4", &["-q", image.to_str().unwrap()]);
        if let Err(why) = made {
            println!("skipped: no file system can be made here: {why}");
            return None;
        }
        disk.mounted(&["-o", "loop", image.to_str().unwrap()])
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("disk")).unwrap();
        Self { folder }
    }

    fn mounted(self, options: &[&str]) -> Option<Self> {
        let path = self.path();
        let mounted = command("mount", &[options, &[path.to_str().unwrap()]].concat());
        if let Err(why) = mounted {
            println!("skipped: no disk can be mounted here: {why}");
            return None;
        }
        Some(self)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Leaves no room for a byte.
    pub(crate) fn fill(&self) {
        let mut filler = File::options().append(true).create(true).open(self.filler()).unwrap();
        for size in [64 << 10, 4096, 1] {
            let bytes = vec![0; size];
            let full = loop {
                if let Err(error) = filler.write_all(&bytes) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Lets nothing be written any more, as the kernel does when a disk fails.
    pub(crate) fn fail(&self) {
        self.remount("abort");
        assert!(is_read_only(&self.path()));
    }

    /// Changes how it is mounted: `ro`, `rw`.
    pub(crate) fn remount(&self, how: &str) {
        command("mount", &["-o", &format!("remount,{how}"), self.path().to_str().unwrap()]).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = command("umount", &["--lazy", self.path().to_str().unwrap()]);
    }
}

fn is_read_only(folder: &Path) -> bool {
    File::create(folder.join("probe")).is_err_and(|e| e.kind() == ErrorKind::ReadOnlyFilesystem)
}

/// Runs a program of the machine; why it failed, if it did.
fn command(program: &str, args: &[&str]) -> Result<(), String> {
    let run = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = run.map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "))
}
