//! The loop of one worker: waits on its socket, its tree, its commands and the clock.
//!
//! Owns every effect. Each turn takes inputs to the core, then carries out what the core decided. Must
//! not decide anything about calls.

use super::command::Command;
use super::core::{Core, Effect, StartReply};
use crate::end::Evidence;
use crate::limits::{
    CLOSED_SOCKET_GRACE, FRAME_STALL_MAX, FRAMES_PER_TURN, IDLE_TICK, LINGER, MEMORY_SAMPLE_EVERY,
    OUTPUT_END_GRACE, STDERR_TAIL_LINES, TICK, WRITE_QUEUE_BYTES_MAX,
};
use crate::output::{Captured, Mask, Readers, Voice};
use crate::python::{announce_secrets, environment};
use crate::spec::WorkerSpec;
use crate::state::WorkerState;
use hardpoint_model::Exit;
use hardpoint_process::{LaunchError, LaunchSpec, Launcher, Signal, Status, Tree, TreeEvent};
use hardpoint_wire::{Connection, FrameError, HostMessage, PROTOCOL, SocketError, WorkerMessage};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// What the handle keeps of a worker that was launched.
pub(super) struct Started {
    pub(super) instance: String,
    pub(super) pid: u32,
    pub(super) output: Captured,
    pub(super) state: watch::Receiver<WorkerState>,
    pub(super) exit: watch::Receiver<Option<Arc<Exit>>>,
    pub(super) ready: oneshot::Receiver<StartReply>,
}

/// Launches the process and starts the actor. The actor ends with its worker.
pub(super) async fn start(
    spec: WorkerSpec,
    launcher: &Launcher,
    commands: mpsc::Receiver<Command>,
) -> Result<Started, LaunchError> {
    let prepare = |source| LaunchError::Prepare { what: "a socket", source };
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(prepare)?;
    let connection = Connection::new(OwnedFd::from(ours)).map_err(prepare)?;
    let now = Instant::now();
    let mut env = environment(&spec.program.path, &spec.env);
    if !spec.secrets.is_empty() {
        announce_secrets(&mut env, &spec.plugin.instance);
    }
    let mut tree = launcher
        .launch(LaunchSpec {
            title: format!("{} (shim)", spec.title()),
            program: spec.program.path.clone(),
            args: spec.program.args.clone(),
            env,
            cwd: spec.plugin.dir.clone().into(),
            socket: Some(OwnedFd::from(theirs)),
            memory_bytes_max: Some(spec.bounds.memory_bytes),
        })
        .await?;
    let output = spec.output.clone();
    let mask = Mask::of(&spec.secrets);
    let voice = Voice::new(output.clone(), spec.plugin.incarnation, mask.clone());
    let readers = tree.take_output().map(|pipes| Readers::start(&voice, pipes));
    let (reply, ready) = oneshot::channel();
    let mut core = Core::new(&spec, reply, now);
    core.on_started(hello(&spec));
    let (state_tx, state) = watch::channel(core.state().clone());
    let (exit_tx, exit) = watch::channel(None);
    let (pid, instance) = (tree.pid(), spec.plugin.instance.clone());
    let actor = Actor {
        core,
        connection,
        tree,
        commands,
        voice,
        mask,
        readers,
        state: state_tx,
        exit: exit_tx,
        status: None,
        last_read: now,
        next_sample: now,
    };
    tokio::spawn(actor.run());
    Ok(Started { instance, pid, output, state, exit, ready })
}

fn hello(spec: &WorkerSpec) -> HostMessage {
    HostMessage::Hello {
        protocol: PROTOCOL,
        host_version: env!("CARGO_PKG_VERSION").to_owned(),
        plugin: spec.plugin.clone(),
        concurrency: spec.bounds.concurrency,
        secrets: spec.secrets.clone(),
    }
}

struct Actor {
    core: Core,
    connection: Connection,
    tree: Tree,
    commands: mpsc::Receiver<Command>,
    voice: Voice,
    mask: Mask,
    readers: Option<Readers>,
    state: watch::Sender<WorkerState>,
    exit: watch::Sender<Option<Arc<Exit>>>,
    /// How the program ended; it has, once this is known.
    status: Option<Status>,
    /// When the socket last brought something, or ended.
    last_read: Instant,
    next_sample: Instant,
}

impl Actor {
    async fn run(mut self) {
        let mut descendants_killed = 0;
        let mut commands_open = true;
        self.carry_out();
        // One timer for the whole life: it is armed anew when it fires or has to fire earlier.
        let mut clock = pin!(tokio::time::sleep(TICK));
        loop {
            let reading = !self.connection.is_ended();
            let next = Instant::now() + if self.core.is_active() || !reading { TICK } else { IDLE_TICK };
            if clock.is_elapsed() || clock.deadline() > next {
                clock.as_mut().reset(next);
            }
            tokio::select! {
                ready = self.connection.ready(), if reading => match ready {
                    Ok(()) => self.read(),
                    Err(e) => self.core.violated(format!("its socket failed ({e})")),
                },
                event = self.tree.next_event() => match event {
                    TreeEvent::Exited(status) => self.status = Some(status),
                    TreeEvent::Gone { descendants_killed: count } => {
                        descendants_killed = count;
                        break;
                    }
                    TreeEvent::Lost => break,
                },
                command = self.commands.recv(), if commands_open => match command {
                    Some(command) => self.take_commands(command),
                    // The last handle is gone: nobody can ask for this worker any more.
                    None => {
                        commands_open = false;
                        self.core.on_command(Command::Kill, Instant::now());
                    }
                },
                () = clock.as_mut() => {}
            }
            // What was asked goes out before anything is measured.
            self.carry_out();
            if !clock.is_elapsed() {
                self.linger();
            }
            self.look_at_the_clock();
            self.carry_out();
        }
        self.finish(descendants_killed).await;
    }

    /// Most calls are answered at once, and waking up again costs more than waiting for them awake.
    /// What has come is read in the next turn, in its order among the other inputs.
    fn linger(&mut self) {
        let until = Instant::now() + LINGER;
        while self.core.has_calls() && Instant::now() < until && !self.connection.peek() {
            // On a single core this is what lets the worker run at all.
            std::thread::yield_now();
        }
    }

    /// Frames that are there, up to a bound, so that a talkative worker cannot starve the rest.
    fn read(&mut self) {
        let before = self.connection.received_bytes();
        self.read_frames();
        // Not before what came has been looked at: a host that takes its time is no fault of the worker's.
        if self.connection.received_bytes() > before || self.connection.is_ended() {
            self.last_read = Instant::now();
        }
    }

    fn read_frames(&mut self) {
        for _ in 0..FRAMES_PER_TURN {
            match self.connection.try_read() {
                Ok(Some(frame)) => {
                    let now = Instant::now();
                    match WorkerMessage::decode(frame) {
                        Ok(message) => self.core.on_message(self.mask.message(message), now),
                        Err(unreadable) => self.core.on_unreadable(&unreadable, now),
                    }
                }
                Ok(None) => return,
                Err(e) => return self.on_broken(&e),
            }
        }
    }

    /// A process that dies in the middle of a frame broke no rule: its end says more than its last bytes.
    fn on_broken(&mut self, error: &SocketError) {
        if !matches!(error, SocketError::Frame(FrameError::Truncated)) {
            self.core.violated(error.to_string());
        }
    }

    fn take_commands(&mut self, first: Command) {
        let now = Instant::now();
        self.core.on_command(first, now);
        for _ in 1..FRAMES_PER_TURN {
            let Ok(command) = self.commands.try_recv() else { return };
            self.core.on_command(command, now);
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        self.core.on_tick(now);
        let quiet = now.duration_since(self.last_read);
        if self.connection.is_ended() {
            if self.status.is_none() && quiet > CLOSED_SOCKET_GRACE {
                self.core.violated("it closed its socket and lived on".to_owned());
            }
        } else if self.connection.is_mid_frame() && quiet > FRAME_STALL_MAX && !self.connection.peek() {
            self.core.violated("it stopped in the middle of a frame".to_owned());
        }
        if now >= self.next_sample {
            self.next_sample = now + MEMORY_SAMPLE_EVERY;
            let memory = self.tree.memory();
            let enforced_by_kernel = memory.is_enforced_by_kernel();
            let sample = memory.sample();
            self.core.on_memory(sample, enforced_by_kernel);
        }
    }

    fn carry_out(&mut self) {
        for effect in self.core.take_effects() {
            match effect {
                Effect::Send(message, blobs) => self.send(&message, &blobs),
                Effect::Signal(signal) => drop(self.tree.signal(signal)),
                Effect::EndStarted { since } => self.tree.kill_started(since.elapsed()),
                Effect::Answer(to, reply) => drop(to.send(reply)),
                Effect::AnswerPing(to, pong) => drop(to.send(pong)),
                Effect::AnswerStart(to, reply) => {
                    // Before anybody can make a call.
                    self.voice.set_marks((*reply).as_ref().is_ok_and(|known| known.ready.marks));
                    drop(to.send(*reply));
                }
                Effect::Captured(log) => self.voice.log(&log),
            }
        }
        // After a call its last lines may still be on their way.
        if !self.voice.has_marks() && self.core.has_calls() {
            self.voice.set_only(self.core.only_call());
        }
        if !self.connection.is_ended() {
            // A worker that is gone cannot read; its end is heard of from its tree.
            let _ = self.connection.try_flush();
        }
        self.state.send_if_modified(|state| {
            let changed = state != self.core.state();
            if changed {
                state.clone_from(self.core.state());
            }
            changed
        });
    }

    fn send(&mut self, message: &HostMessage, blobs: &[hardpoint_wire::Blob]) {
        if let HostMessage::Call { id, job: Some(job), .. } = message {
            self.voice.begin(*id, job);
        }
        match message.encode(blobs) {
            Ok(frame) => self.connection.queue(frame),
            Err(e) => self.core.on_unsendable(message, &e),
        }
        if self.connection.queued_bytes() > WRITE_QUEUE_BYTES_MAX {
            self.core.violated("it does not read what it is sent".to_owned());
            let _ = self.tree.signal(Signal::Kill);
        }
    }

    /// Everything of the worker has ended: hear its last words, find the cause, tell everybody.
    async fn finish(mut self, descendants_killed: u32) {
        while !self.connection.is_ended() {
            let waited = tokio::time::timeout(OUTPUT_END_GRACE, self.connection.ready()).await;
            if !matches!(waited, Ok(Ok(()))) {
                break;
            }
            self.read();
        }
        let output_leaked = match self.readers.take() {
            Some(readers) => readers.end(OUTPUT_END_GRACE).await,
            None => false,
        };
        let limit_bytes = self.tree.memory().limit_bytes();
        let (intent, status) = (self.core.intent(), self.status);
        let tree = self.tree.end().await;
        let reason = Evidence { intent, status, tree, limit_bytes }.reason();
        let stderr_tail = self.voice.captured().stderr_tail(STDERR_TAIL_LINES);
        let exit = Arc::new(Exit { reason, stderr_tail, descendants_killed, output_leaked });
        tracing::debug!(reason = %exit.reason, "worker ended");
        self.core.on_gone(&exit);
        let _ = self.exit.send(Some(exit));
        // What still waits in the queue is answered by its sender's own look at the exit.
        self.commands.close();
        for effect in self.core.take_effects() {
            match effect {
                Effect::Answer(to, reply) => drop(to.send(reply)),
                Effect::AnswerStart(to, reply) => drop(to.send(*reply)),
                Effect::AnswerPing(..)
                | Effect::Send(..)
                | Effect::Signal(_)
                | Effect::EndStarted { .. }
                | Effect::Captured(_) => {}
            }
        }
        let _ = self.state.send(self.core.state().clone());
    }
}
