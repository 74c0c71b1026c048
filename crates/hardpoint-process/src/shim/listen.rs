//! The shim's ear: reads the launch line, then signals, until the host hangs up.
//!
//! Owns the reading side of the control socket. When it ends, for whatever reason, so does the tree.

use super::sweep::signal_tree;
use crate::control::{HostLine, Launch, Lines, Signal};
use crate::limits::{LEFTOVERS_GRACE, SWEEP_PAUSE};
use crate::proc::Process;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::process::Signal as Unix;
use std::io::{self, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

/// Waits for the launch line and the descriptor that comes with its first byte.
pub(super) fn launch(control: &mut UnixStream) -> io::Result<(Launch, Option<OwnedFd>)> {
    let mut lines = Lines::default();
    let mut socket = None;
    loop {
        if let Some(HostLine::Launch(launch)) = lines.next()? {
            return Ok((*launch, socket));
        }
        let mut chunk = [0; 16 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut chunk)];
        let received = rustix::net::recvmsg(&*control, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(mut fds) = message {
                socket = fds.next().or(socket);
            }
        }
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        lines.push(chunk.get(..received.bytes).unwrap_or_default())?;
    }
}

/// Starts the thread that obeys the host. It ends when the host has hung up and the tree is dying.
pub(super) fn start(control: UnixStream, program: u32) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("listen".to_owned()).spawn(move || {
        let mut control = control;
        while let Ok(Some(signal)) = next_signal(&mut control) {
            match signal {
                Signal::Terminate => drop(signal_tree(signal)),
                Signal::Kill => kill_program(program),
            }
        }
        kill_tree();
    })
}

fn next_signal(control: &mut UnixStream) -> io::Result<Option<Signal>> {
    let mut lines = Lines::default();
    let mut chunk = [0; 256];
    loop {
        if let Some(HostLine::Signal(signal)) = lines.next()? {
            return Ok(Some(signal));
        }
        match control.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(read) => lines.push(chunk.get(..read).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The program first: when it is gone the main thread deals with what it leaves. If it does not go, all go.
fn kill_program(program: u32) {
    let program = Process(program);
    program.signal_as_child_of(Process::own(), Unix::KILL);
    thread::sleep(LEFTOVERS_GRACE);
    if program.is_alive() {
        kill_tree();
    }
}

/// Repeated until nobody is left; the main thread meanwhile reaps, reports and exits.
fn kill_tree() {
    while signal_tree(Signal::Kill) > 0 {
        thread::sleep(SWEEP_PAUSE);
    }
}
