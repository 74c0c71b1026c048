//! The data folder and /dev/shm.
//!
//! Owns what is looked at. A network disk that is gone never answers, so the looks are made on threads.

use super::Finding;
use super::gpu::bytes_in_gib;
use crate::probe::limits::DISK_LIMIT;
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// An environment with torch takes 6 GB.
const FREE_BYTES_GOOD: u64 = 8 << 30;
/// With less than this no environment can be made.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// What docker gives is 64 MiB; loaders of data that use several processes need more.
const SHARED_BYTES_GOOD: u64 = 256 << 20;
/// On these, locks and the files of a database are slow, or not safe.
const REMOTE: [&str; 10] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "lustre", "fuse.glusterfs"];

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Data {
    path: PathBuf,
    exists: bool,
    /// Why nothing can be written there.
    trouble: Option<String>,
    free_bytes: u64,
    file_system: Option<String>,
    /// Whether the disk forbids to run what lies on it.
    no_exec: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Shared {
    bytes: u64,
    free_bytes: u64,
}

/// Runs a look that may hang; `None` when it does.
pub(super) async fn in_time<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let looked = tokio::time::timeout(DISK_LIMIT, tokio::task::spawn_blocking(look)).await;
    looked.ok().and_then(Result::ok)
}

pub(super) async fn data(path: &Path) -> Data {
    let own = path.to_owned();
    let late = format!("it did not answer within {} s", DISK_LIMIT.as_secs());
    let unknown = Data { path: path.to_owned(), trouble: Some(late), ..Data::default() };
    in_time(move || look(own)).await.unwrap_or(unknown)
}

fn look(path: PathBuf) -> Data {
    let exists = path.is_dir();
    let nearest = path.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
    let trouble = if exists { try_out(&path) } else { may_be_made(nearest) };
    let disk = statvfs(nearest).ok();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let file_system = nearest.canonicalize().ok().and_then(|folder| file_system(&mounts, &folder));
    Data {
        exists,
        trouble: trouble.map(|error| error.to_string()),
        free_bytes: disk.as_ref().map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        file_system,
        no_exec: disk.is_some_and(|disk| disk.f_flag.contains(StatVfsMountFlags::NOEXEC)),
        path,
    }
}

/// Writes a file and removes it: a disk may be full or read-only whatever the permissions say.
fn try_out(folder: &Path) -> Option<io::Error> {
    let file = folder.join(format!(".doctor-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&file);
    let written = written.and_then(|mut open| io::Write::write_all(&mut open, b"doctor"));
    let _ = fs::remove_file(&file);
    written.err()
}

fn may_be_made(nearest: &Path) -> Option<io::Error> {
    if !nearest.is_dir() {
        return Some(io::Error::other(format!("{} is no folder", nearest.display())));
    }
    access(nearest, Access::WRITE_OK | Access::EXEC_OK).err().map(io::Error::from)
}

/// The type of the file system that holds `folder`: of the mount whose path is the longest part of it.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let rows = mounts.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        // Spaces in paths are written as octal numbers.
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        Some((point, right.split(' ').next()?))
    });
    let holding = rows.filter(|(point, _)| folder.starts_with(point));
    // Of two mounts on one another the later one is seen.
    holding.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}

pub(super) fn data_finding(data: Data) -> Finding {
    const NAME: &str = "data folder";
    const ELSEWHERE: &str = "name another folder with `--data-dir DIR` or HARDPOINT_DATA_DIR";
    let (path, free) = (data.path.display(), bytes_in_gib(data.free_bytes));
    let kind = data.file_system.as_deref().unwrap_or("an unknown file system");
    let found = if let Some(trouble) = &data.trouble {
        let remedy = format!("let this user write there, or {ELSEWHERE}");
        Finding::problem(NAME, format!("{path} cannot be written to: {trouble}"), remedy)
    } else if data.no_exec {
        let what = format!("{path} lies on a disk from which no program may be run (noexec)");
        Finding::problem(NAME, what, ELSEWHERE)
    } else if data.free_bytes < FREE_BYTES_MIN {
        let what = format!("{path} has {free:.1} GiB free, too little for any environment");
        Finding::problem(NAME, what, format!("free some space, or {ELSEWHERE}"))
    } else if REMOTE.contains(&kind) {
        let what = format!("{path} lies on {kind}, where locks and databases are slow or not safe");
        Finding::warning(NAME, what, ELSEWHERE)
    } else if data.free_bytes < FREE_BYTES_GOOD {
        let what = format!("{path} has {free:.1} GiB free; one environment with torch takes 6 GB");
        Finding::warning(NAME, what, format!("free some space, or {ELSEWHERE}"))
    } else {
        let made = if data.exists { "" } else { ", made when it is needed" };
        Finding::ok(NAME, format!("{path}{made} ({kind}, {free:.0} GiB free)"))
    };
    found.with(data)
}

pub(super) async fn shared_memory() -> Option<Shared> {
    let look = || {
        let disk = statvfs("/dev/shm").ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Shared { bytes: bytes(disk.f_blocks), free_bytes: bytes(disk.f_bavail) })
    };
    in_time(look).await.flatten()
}

pub(super) fn shared_finding(shared: Option<Shared>) -> Finding {
    const NAME: &str = "shared memory";
    const REMEDY: &str = "make it larger: `docker run --shm-size=1g`, or `mount -o remount,size=1g /dev/shm`";
    let Some(shared) = shared else {
        let what = "there is no /dev/shm: plugins that share memory between processes of theirs fail";
        return Finding::warning(NAME, what, "mount a tmpfs at /dev/shm");
    };
    let (all, free) = (bytes_in_gib(shared.bytes), bytes_in_gib(shared.free_bytes));
    let found = if shared.bytes < SHARED_BYTES_GOOD {
        let what = format!("/dev/shm has {all:.2} GiB; loaders of data that use several processes need more");
        Finding::warning(NAME, what, REMEDY)
    } else if shared.free_bytes < SHARED_BYTES_GOOD {
        let what = format!("/dev/shm has {free:.2} GiB free of {all:.2}");
        Finding::warning(NAME, what, "remove what lies in /dev/shm and is not used, or make it larger")
    } else {
        Finding::ok(NAME, format!("/dev/shm has {free:.1} GiB free of {all:.1}"))
    };
    found.with(shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;

    #[test]
    fn the_longest_mount_holds_a_folder() {
        let mounts = "1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /home rw - nfs4 s:/x rw\n\
            3 1 0:3 / /home/a\\040b rw - tmpfs tmpfs rw\n4 1 0:4 / /home rw - xfs /dev/b rw";
        for (folder, expected) in
            [("/var", "ext4"), ("/home/x", "xfs"), ("/homes", "ext4"), ("/home/a b/c", "tmpfs")]
        {
            assert_eq!(file_system(mounts, Path::new(folder)).as_deref(), Some(expected), "{folder}");
        }
    }

    #[test]
    fn a_data_folder_must_be_writable_and_roomy() {
        let good = Data {
            path: "/data".into(),
            exists: true,
            free_bytes: 100 << 30,
            file_system: Some("ext4".to_owned()),
            ..Data::default()
        };
        let check = |data: &Data, level, words: &str| {
            let found = data_finding(data.clone());
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(words), "{found:?}");
        };
        check(&good, Level::Ok, "/data (ext4, 100 GiB free)");
        check(&Data { exists: false, ..good.clone() }, Level::Ok, "made when it is needed");
        let trouble = Some("Read-only file system".to_owned());
        check(&Data { trouble, ..good.clone() }, Level::Problem, "cannot be written to: Read-only");
        check(&Data { no_exec: true, ..good.clone() }, Level::Problem, "noexec");
        check(&Data { free_bytes: 1 << 20, ..good.clone() }, Level::Problem, "too little");
        check(&Data { free_bytes: 1 << 30, ..good.clone() }, Level::Warning, "1.0 GiB free");
        check(&Data { file_system: Some("nfs4".to_owned()), ..good }, Level::Warning, "lies on nfs4");
    }

    #[test]
    fn little_shared_memory_is_a_warning() {
        let check = |bytes, free_bytes| shared_finding(Some(Shared { bytes, free_bytes })).level;
        assert_eq!(check(8 << 30, 7 << 30), Level::Ok);
        assert_eq!(check(64 << 20, 64 << 20), Level::Warning);
        assert_eq!(check(8 << 30, 1 << 20), Level::Warning);
        assert_eq!(shared_finding(None).level, Level::Warning);
    }
}
