//! Every bound of supervision, in one place.

use std::time::Duration;

/// Commands that wait for a worker's actor; a full queue makes the caller wait.
pub const COMMAND_QUEUE: usize = hardpoint_wire::limits::CALLS_IN_FLIGHT_MAX;
/// Notes (progress, log, usage) that wait for a call's caller; more are dropped and counted.
pub const NOTE_QUEUE: usize = 256;
/// Stream items that wait for a call's caller: as many as the worker was given credit for.
pub const ITEM_QUEUE: usize = hardpoint_wire::limits::STREAM_CREDIT as usize;
/// How often deadlines are looked at while something is running.
pub const TICK: Duration = Duration::from_millis(10);
/// How often memory is measured while something is running: half of the promised 100 ms.
pub const MEMORY_SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// How often memory is measured, and a lost socket looked at, while nothing is running.
pub const IDLE_TICK: Duration = Duration::from_millis(500);
/// A started frame must go on arriving; one that stands still this long is a protocol violation.
pub const FRAME_STALL_MAX: Duration = Duration::from_secs(2);
/// A worker whose socket closed must have ended within this, or it closed it while living on. The kernel
/// may need a while to take apart a large process that it killed.
pub const CLOSED_SOCKET_GRACE: Duration = Duration::from_secs(2);
/// Messages nobody asked for (progress, log, usage, unknown types) in one second.
pub const UNASKED_PER_SECOND_MAX: u32 = 20_000;
/// Bytes that may wait to be written to a worker that does not read, before calls are refused.
pub const WRITE_QUEUE_BYTES_MAX: usize = 64 << 20;
/// Units that one call may account for; more are let go.
pub const USAGE_UNITS_MAX: usize = 64;
/// Frames handled before other inputs get their turn.
pub const FRAMES_PER_TURN: usize = 64;
/// How long after each turn an answer is waited for awake: about what going to sleep and waking up cost.
pub const LINGER: Duration = Duration::from_micros(50);
/// Captured lines kept per instance.
pub const OUTPUT_LINES_MAX: usize = 1000;
/// Captured bytes kept per instance.
pub const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// Captured lines of one instance that wait to be written to disk: what one that floods says in some 20 ms.
pub const UNWRITTEN_LINES_MAX: usize = 16 << 10;
/// Bytes of the same.
pub const UNWRITTEN_BYTES_MAX: usize = 4 << 20;
/// Attempts of jobs whose lost lines are counted apart, before the disk has been told.
pub const LOST_RUNS_MAX: usize = 32;
/// Calls of jobs of one worker that lines can still belong to: those in flight, and those whose marks still lie in
/// a pipe of 64 KiB.
pub const CALLS_KNOWN_MAX: usize = 4096;
/// How long it is waited for that what lies in a worker's pipes has been read.
pub const CATCH_UP: Duration = Duration::from_millis(500);
/// What a pipe can hold at most.
pub const PIPE_BYTES_MAX: usize = 1 << 20;
/// Those who wait for the same pipe to be read.
pub const CATCH_UP_QUEUE: usize = 16;
/// Longest captured line; the rest of it is cut off and counted as dropped.
pub const OUTPUT_LINE_BYTES_MAX: usize = 8 << 10;
/// Lines of stderr that an exit carries.
pub const STDERR_TAIL_LINES: usize = 20;
/// After the last process of a tree is gone its pipes end within this, or somebody outside holds them.
pub const OUTPUT_END_GRACE: Duration = Duration::from_millis(250);
/// Start-up time when the manifest says nothing.
pub const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout of a call when neither request, manifest nor tool says anything.
pub const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// Memory limit of a worker's tree when the manifest says nothing.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// A call that ran past its timeout is asked for this long,
pub const DEADLINE_COOPERATIVE: Duration = Duration::from_millis(350);
/// then interrupted for this long,
pub const DEADLINE_INTERRUPT: Duration = Duration::from_millis(400);
/// and then its worker has this long after SIGTERM: 900 ms altogether, and the rest of a second to kill it.
pub const DEADLINE_TERMINATE: Duration = Duration::from_millis(150);
/// A cancelled call stops within this, or its worker is ended, when nobody says otherwise.
pub const CANCEL_GRACE: Duration = Duration::from_secs(3);
/// A call that is cancelled is only asked for at most this long before it is interrupted.
pub const COOPERATIVE_MAX: Duration = Duration::from_secs(1);
/// What a worker has between SIGTERM and SIGKILL when a cancelled call did not stop in its time.
pub const FORCE_TERMINATE: Duration = Duration::from_millis(50);
/// An orderly stop takes at most this, then SIGKILL.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
/// Longest timeout of a call; what is asked for above it is cut to it.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_hours(7 * 24);
/// Timeout of the prefetch hook: it may fetch large models over slow lines.
pub const PREFETCH_TIMEOUT: Duration = Duration::from_hours(1);
/// Secrets that are shorter stay where a plugin prints them: `true` or `1234` mean something else most of the time.
pub const MASKED_BYTES_MIN: usize = 8;
/// Secrets that are longer are not looked for as the literal of a literal: there are dozens of those.
pub const MASKED_TWICE_BYTES_MAX: usize = 1 << 10;
