//! Starting the program: descriptors, session, parent-death signal, control group, environment.
//!
//! Owns the one `fork` of a tree. It happens while the shim has a single thread, and between `fork` and
//! `exec` there are only system calls.
#![expect(unsafe_code, reason = "descriptors 0 to 3 have fixed numbers, and `pre_exec` is unsafe by nature")]

use crate::control::Launch;
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal as Unix};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// The program's descriptor of its socket.
const SOCKET_FD: RawFd = 3;

/// Takes the control socket off stdin, where the host put it, so that no child can inherit it.
pub(super) fn take_control() -> io::Result<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), SOCKET_FD + 1)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(control))
}

/// Gives stdout and stderr back, so that the pipes end when the tree ends.
pub(super) fn let_go_of_output() -> io::Result<()> {
    let null = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Starts the program; on return the shim holds nothing of it but its number.
pub(super) fn start(launch: &Launch, socket: Option<OwnedFd>) -> Result<u32, String> {
    if launch.socket != socket.is_some() {
        return Err("its socket did not arrive".to_owned());
    }
    let socket = socket.map(at_fixed_number).transpose().map_err(|e| format!("fd 3: {e}"))?;
    close_to_children().map_err(|e| format!("/proc/self/fd: {e}"))?;
    let group = launch.group.as_ref().map(|group| File::options().write(true).open(group.procs_file()));
    let group = group.transpose().map_err(|e| format!("its control group: {e}"))?;
    let shim = rustix::process::getpid();
    let mut command = Command::new(&launch.program);
    command.args(&launch.args).env_clear().envs(&launch.env).current_dir(&launch.cwd).stdin(Stdio::null());
    let socket_fd = socket.as_ref().map(OwnedFd::as_raw_fd);
    // SAFETY: the closure runs in the forked child of a process with a single thread and makes nothing
    // but system calls: no allocation, no lock, no Rust state that another thread could have held.
    unsafe {
        command.pre_exec(move || prepare(shim, group.as_ref(), socket_fd));
    }
    let child = command.spawn().map_err(|e| format!("{}: {e}", launch.program.display()))?;
    Ok(child.id())
}

/// Runs in the child, between `fork` and `exec`.
fn prepare(shim: Pid, group: Option<&File>, socket: Option<RawFd>) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::set_parent_process_death_signal(Some(Unix::KILL))?;
    if rustix::process::getppid() != Some(shim) {
        return Err(io::ErrorKind::NotConnected.into());
    }
    if let Some(group) = group {
        rustix::io::write(group, b"0\n")?;
    }
    if let Some(fd) = socket {
        // SAFETY: the shim holds this descriptor open across the fork.
        let socket = unsafe { BorrowedFd::borrow_raw(fd) };
        rustix::io::fcntl_setfd(socket, FdFlags::empty())?;
    }
    Ok(())
}

fn at_fixed_number(socket: OwnedFd) -> io::Result<OwnedFd> {
    if socket.as_raw_fd() == SOCKET_FD {
        return Ok(socket);
    }
    // SAFETY: the number is only a place for `dup2`, which closes what stood there; in this process
    // nothing is known to stand there but what a careless ancestor of the host left open.
    let mut place = unsafe { OwnedFd::from_raw_fd(SOCKET_FD) };
    match rustix::io::dup2(&socket, &mut place) {
        Ok(()) => Ok(place),
        Err(e) => {
            let _ = place.into_raw_fd();
            Err(e.into())
        }
    }
}

/// Whatever else is open, inherited from an ancestor that was careless, ends at the program's `exec`.
fn close_to_children() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let fd = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        if let Some(fd) = fd.filter(|&fd| fd > 2) {
            // SAFETY: the descriptor is borrowed for one `fcntl`, which fails harmlessly if it is closed.
            let _ = rustix::io::fcntl_setfd(unsafe { BorrowedFd::borrow_raw(fd) }, FdFlags::CLOEXEC);
        }
    }
    Ok(())
}
