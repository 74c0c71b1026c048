//! The shim: the small process between the host and one tree.
//!
//! Owns the tree it started: it is its subreaper, signals it on the host's word, and ends it when its
//! program or its host ends. Must not know what the program does. Runs two threads: the main thread
//! forks and reaps, a second one listens to the host.
//!
//! The parent-death signal of the program is tied to the *thread* that forked it; that is the main
//! thread, which lives as long as the shim.

mod listen;
mod program;
mod sweep;

use crate::control::{Launch, ShimLine, Status, line};
use crate::limits::{LEFTOVERS_GRACE, SWEEP_PAUSE};
use rustix::process::WaitOptions;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;
use sweep::Sweep;

/// The hidden first argument that turns the binary into a shim.
pub const SHIM_ARGUMENT: &str = "__worker-shim";

/// The whole life of a shim. The caller passes the result to `exit`.
pub fn shim_main() -> i32 {
    match run() {
        Ok(()) => 0,
        // The host is gone or broken: there is nobody left to tell.
        Err(_) => 1,
    }
}

fn run() -> io::Result<()> {
    // What it is told to start comes with an environment, and its socket with the right to signal.
    crate::close_off()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut control = program::take_control()?;
    let (mut launch, socket) = listen::launch(&mut control)?;
    if let Err(e) = crate::scratch::create(&launch.scratch) {
        let error = format!("its folder for temporary files {}: {e}", launch.scratch.display());
        return say(&control, &ShimLine::Failed { error });
    }
    let limited = launch.group.as_ref().is_some_and(|group| group.create().is_ok());
    launch.group = launch.group.filter(|_| limited);
    let program = match program::start(&launch, socket) {
        Ok(pid) => pid,
        Err(error) => {
            clear(&launch);
            return say(&control, &ShimLine::Failed { error });
        }
    };
    program::let_go_of_output()?;
    let host_hangs_up = listen::start(control.try_clone()?, program)?;
    let _ = say(&control, &ShimLine::Started { pid: program, limited });
    let descendants_killed = reap(&control, program);
    let _ = std::fs::remove_dir_all(&launch.scratch);
    let _ = say(&control, &ShimLine::Gone { descendants_killed });
    // The host still reads the group's counters; it hangs up when it has, or when it dies.
    let _ = host_hangs_up.join();
    clear(&launch);
    Ok(())
}

/// Removes what was made for the tree.
fn clear(launch: &Launch) {
    let _ = std::fs::remove_dir_all(&launch.scratch);
    if let Some(group) = &launch.group {
        group.remove();
    }
}

/// Reaps until the kernel says that no child is left; kills what remains once the program has ended.
fn reap(control: &UnixStream, program: u32) -> u32 {
    let mut ended: Option<(Instant, Sweep)> = None;
    loop {
        let options = if ended.is_some() { WaitOptions::NOHANG } else { WaitOptions::empty() };
        match rustix::process::wait(options) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get().cast_unsigned() == program => {
                if let Some(status) = to_status(status) {
                    let _ = say(control, &ShimLine::Exited(status));
                    ended = Some((Instant::now(), Sweep::default()));
                }
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => {
                if let Some((since, sweep)) = &mut ended {
                    if since.elapsed() > LEFTOVERS_GRACE {
                        sweep.kill();
                    }
                    thread::sleep(SWEEP_PAUSE);
                }
            }
            Err(_) => return ended.map_or(0, |(_, sweep)| sweep.killed()),
        }
    }
}

fn to_status(status: rustix::process::WaitStatus) -> Option<Status> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Status::Code(code)),
        (None, Some(signal)) => Some(Status::Signal(signal)),
        (None, None) => None,
    }
}

fn say(mut control: &UnixStream, message: &ShimLine) -> io::Result<()> {
    control.write_all(&line(message)?)
}
