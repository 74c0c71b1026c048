//! Launching: from a [`LaunchSpec`] to a running [`Tree`].
//!
//! Owns the spawner thread, which forks every shim and lives as long as the process. Must not know what
//! is launched.

use crate::control::{HostLine, Launch, Lines, ShimLine, line};
use crate::limits::{LAUNCH_QUEUE, LAUNCH_TIMEOUT};
use crate::living::Living;
use crate::memory::MemoryMode;
use crate::orphans::TREE_VARIABLE;
use crate::owner::Owner;
use crate::scratch::{self, HostFolder};
use crate::shim::SHIM_ARGUMENT;
use crate::tree::{Remains, Tree};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// What to start, and its bounds.
#[derive(Debug)]
pub struct LaunchSpec {
    /// What `ps` shows for the shim, for example `hardpoint: ocr (shim)`.
    pub title: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
    /// Its whole environment: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Becomes its descriptor 3.
    pub socket: Option<OwnedFd>,
    /// Limit for the whole tree.
    pub memory_bytes_max: Option<u64>,
}

/// A tree could not be started. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Too many launches at once.
    #[error("too many processes are being started at once ({LAUNCH_QUEUE} wait already)")]
    Busy,
    /// The machine refused something that is needed before the program.
    #[error("{what} could not be made")]
    Prepare {
        /// What was being made.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The program itself could not be started.
    #[error("the program could not be started: {0}")]
    Program(String),
    /// The shim ended or said nothing.
    #[error("the shim of the process did not answer")]
    Shim(#[source] io::Error),
}

/// Starts trees. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Launcher {
    spawner: SyncSender<SpawnRequest>,
    shim: Arc<Path>,
    scratch_root: Arc<Path>,
    memory: Arc<MemoryMode>,
    owner: Arc<Owner>,
    living: Living,
}

struct SpawnRequest {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl Launcher {
    /// `shim` is the binary that becomes the shim when its first argument is [`SHIM_ARGUMENT`];
    /// scratch folders are made below `scratch_root`. What hosts that were killed together with their
    /// shims left there, processes included, is ended and removed first: that blocks, for a bounded time.
    pub fn new(shim: PathBuf, scratch_root: &Path, memory: MemoryMode) -> io::Result<Self> {
        scratch::sweep(scratch_root, &memory);
        let owner = Arc::new(Owner::claim(scratch_root)?);
        let (spawner, requests) = sync_channel::<SpawnRequest>(LAUNCH_QUEUE);
        thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for SpawnRequest { mut command, reply } in requests {
                // Whoever asked may be gone; its end of the control socket is, too, so the shim ends at once.
                if let Err(Ok(mut shim)) = reply.send(command.spawn()) {
                    let _ = shim.wait();
                }
            }
        })?;
        let memory = Arc::new(memory);
        let (shim, scratch_root) = (shim.into(), scratch_root.into());
        Ok(Self { spawner, shim, scratch_root, memory, owner, living: Living::none() })
    }

    /// Who enforces memory limits.
    pub fn memory_mode(&self) -> &MemoryMode {
        &self.memory
    }

    /// A folder for the host itself, for as long as it is held.
    pub fn folder(&self) -> io::Result<HostFolder> {
        HostFolder::create(&self.scratch_root, &self.owner)
    }

    /// Waits until no tree that was started here is left, those included that were dropped or never
    /// finished starting.
    pub async fn all_gone(&self) {
        self.living.all_gone().await;
    }

    /// Starts a tree. On an error, and when the future is dropped, what was started ends by itself; see
    /// [`Launcher::all_gone`].
    pub async fn launch(&self, spec: LaunchSpec) -> Result<Tree, LaunchError> {
        let tree = tokio::time::timeout(LAUNCH_TIMEOUT, self.start(spec)).await;
        tree.unwrap_or_else(|_| Err(LaunchError::Shim(io::ErrorKind::TimedOut.into())))
    }

    async fn start(&self, spec: LaunchSpec) -> Result<Tree, LaunchError> {
        let id = self.owner.next_tree();
        let mut watch = self.memory.watch(&id, spec.memory_bytes_max);
        let (control, shim_end) = std::os::unix::net::UnixStream::pair().map_err(prepare("a socket"))?;
        let (stdout, stdout_end) = io::pipe().map_err(prepare("a pipe"))?;
        let (stderr, stderr_end) = io::pipe().map_err(prepare("a pipe"))?;
        let mut command = Command::new(&*self.shim);
        command.arg0(&spec.title).arg(SHIM_ARGUMENT).env_clear().process_group(0);
        command.stdin(Stdio::from(OwnedFd::from(shim_end))).stdout(stdout_end).stderr(stderr_end);
        let shim = self.spawn(command).await?;
        let (pid, scratch, group) = (shim.id(), self.scratch_root.join(&id), watch.group().cloned());
        // The socket is declared after this, so it is closed before this is dropped: that ends the shim.
        let (owner, alive) = (Arc::clone(&self.owner), self.living.one_more());
        let remains = Unclaimed(Some(Remains { tree: id, shim, scratch, group, owner, alive }));
        let control = to_tokio(control).map_err(prepare("a socket"))?;
        send_launch(&control, spec, &remains).await.map_err(LaunchError::Shim)?;
        let mut lines = Lines::default();
        match read_line(&control, &mut lines).await.map_err(LaunchError::Shim)? {
            ShimLine::Started { pid: program, limited } => {
                watch.started(pid, limited);
                Ok(Tree::new(program, (control, lines), watch, (stdout, stderr), remains.claim()))
            }
            ShimLine::Failed { error } => Err(LaunchError::Program(error)),
            ShimLine::Exited(_) | ShimLine::Gone { .. } => {
                Err(LaunchError::Shim(io::ErrorKind::InvalidData.into()))
            }
        }
    }

    async fn spawn(&self, command: Command) -> Result<Child, LaunchError> {
        let (reply, answer) = oneshot::channel();
        self.spawner.try_send(SpawnRequest { command, reply }).map_err(|e| match e {
            TrySendError::Full(_) => LaunchError::Busy,
            TrySendError::Disconnected(_) => LaunchError::Shim(io::ErrorKind::NotConnected.into()),
        })?;
        let child = answer.await.map_err(|e| LaunchError::Shim(io::Error::other(e)))?;
        child.map_err(prepare("the shim of the process"))
    }
}

/// A shim that nobody has taken over yet. Its program may run already, so it is left to end its tree itself.
struct Unclaimed(Option<Remains>);

impl Unclaimed {
    fn claim(mut self) -> Option<Remains> {
        self.0.take()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(remains) = self.0.take() {
            remains.clear_apart();
        }
    }
}

fn prepare(what: &'static str) -> impl FnOnce(io::Error) -> LaunchError {
    move |source| LaunchError::Prepare { what, source }
}

fn to_tokio(socket: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// The socket for fd 3 goes with the first byte of the launch line.
async fn send_launch(control: &UnixStream, spec: LaunchSpec, remains: &Unclaimed) -> io::Result<()> {
    let Some(Remains { tree, scratch, group, .. }) = &remains.0 else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    let mut env = spec.env;
    env.insert(TREE_VARIABLE.to_owned(), tree.clone());
    env.insert("TMPDIR".to_owned(), scratch.to_string_lossy().into_owned());
    let bytes = line(&HostLine::Launch(Box::new(Launch {
        program: spec.program,
        args: spec.args,
        env,
        cwd: spec.cwd,
        socket: spec.socket.is_some(),
        group: group.clone(),
        scratch: scratch.clone(),
    })))?;
    let mut socket = spec.socket;
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        control.writable().await?;
        let written = control.try_io(tokio::io::Interest::WRITABLE, || send(control, rest, socket.as_ref()));
        match written {
            Ok(count) => {
                sent += count;
                socket = None;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn send(control: &UnixStream, bytes: &[u8], socket: Option<&OwnedFd>) -> io::Result<usize> {
    let fds: Vec<_> = socket.iter().map(|socket| socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    let from = &[IoSlice::new(bytes)];
    Ok(rustix::net::sendmsg(control.as_fd(), from, &mut ancillary, SendFlags::NOSIGNAL)?)
}

/// The next line from the shim; safe to drop half-way, since nothing is lost from `lines`.
pub(crate) async fn read_line(control: &UnixStream, lines: &mut Lines) -> io::Result<ShimLine> {
    loop {
        if let Some(line) = lines.next()? {
            return Ok(line);
        }
        control.readable().await?;
        let mut chunk = [0; 1024];
        match control.try_read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => lines.push(chunk.get(..read).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}
