//! Every bound of the doors, in one place; docs/reference/http.md repeats those that a caller can meet.

use std::time::Duration;

/// Connections at once; more wait in the kernel's queue. A browser opens six, a load test a few hundred.
pub const CONNECTIONS_MAX: usize = 1024;
/// Header fields of one request: browsers send about twenty.
pub const HEADERS_MAX: usize = 64;
/// Bytes of all header fields of one request: the sum that most servers allow.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// What is read of a head before the connection is cut; above the two bounds before, so that those can answer.
pub const HEAD_READ_BYTES_MAX: usize = 128 << 10;
/// Header fields that are parsed before the connection is cut.
pub const HEAD_READ_FIELDS_MAX: usize = 256;
/// How long a request's head may take; also how long a connection may idle between requests.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body may bring nothing.
pub const BODY_STALL: Duration = Duration::from_secs(10);
/// How long a body may take in all: 64 MiB at a megabit a second are nine minutes.
pub const BODY_TIMEOUT: Duration = Duration::from_mins(10);
/// Parts of one form: `args`, `timeout_seconds`, and as many binary values as a frame of the worker protocol holds.
pub const PARTS_MAX: usize = 2 + hardpoint_wire::limits::BLOBS_MAX;
/// Levels of arrays and objects inside each other, as on the worker protocol.
pub const NESTING_MAX: usize = hardpoint_wire::limits::NESTING_MAX;
/// From this size on a value is read or written beside the threads that answer everybody: it takes a millisecond.
pub const LARGE_BYTES: usize = 256 << 10;
/// Binary data in one JSON answer, before base64 makes it a third larger.
pub const RESULT_BYTES_MAX: u64 = 256 << 20;
/// The body of one secret: a value of which every byte is escaped, and what stands around it.
pub const SECRET_BODY_BYTES_MAX: usize = 6 * hardpoint_secrets::limits::VALUE_BYTES_MAX + 1024;
/// The body of a new instance: its configuration, and what stands around it.
pub const INSTANCE_BODY_BYTES_MAX: usize = hardpoint_model::limits::CONFIG_BYTES_MAX + 1024;
/// Log lines that are sent when nobody says how many.
pub const LOG_LINES: usize = 100;
/// Most log lines of one answer.
pub const LOG_LINES_MAX: usize = 1000;
/// Text to look for in logs.
pub const LOG_TEXT_CHARS_MAX: usize = 1000;
/// Longest that a verb waits until its plugin has settled.
pub const SETTLE_SECONDS_MAX: u32 = 3600;
/// Longest timeout that a call may ask for.
pub const CALL_SECONDS_MAX: u32 = hardpoint_model::limits::TIMEOUT_SECONDS_MAX;
/// A sign of life on an event stream that has nothing to say, before proxies cut it (most: 60 s).
pub const EVENT_STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a follower may take nothing of what it is sent before it is dropped: a train's tunnel, not a lunch. What
/// it misses it gets when it comes back.
pub const FOLLOWER_STALL: Duration = Duration::from_secs(10);
/// How long a WebSocket may give no sign of life: two pings.
pub const SOCKET_SILENCE: Duration = Duration::from_secs(2 * EVENT_STREAM_KEEP_ALIVE.as_secs());
/// How long the end of a WebSocket may take, its answer to the close frame included.
pub const SOCKET_CLOSE: Duration = Duration::from_secs(1);
/// Bytes of what a WebSocket may send: nobody has anything to say but close, ping and pong, which have 125.
pub const SOCKET_MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Those who follow events at once: a quarter of the connections, so that the others can still be answered.
pub const FOLLOWERS_MAX: usize = CONNECTIONS_MAX / 4;
/// Jobs that one caller follows by name; whoever wants more follows all.
pub const JOBS_FOLLOWED_MAX: usize = 64;
/// Largest number of an event that can be named: a number in JSON is exact up to here.
pub const EVENT_NUMBER_MAX: u64 = (1 << 53) - 1;
/// Jobs of one page when nobody says how many.
pub const JOBS: u32 = 50;
/// Most jobs of one page.
pub const JOBS_MAX: u32 = 1000;
/// Most jobs that can be left out at the beginning of a page: each of them is read.
pub const JOBS_SKIP_MAX: u32 = 1_000_000;
/// Jobs that are read from the store at once, arguments included: [`JOB_ARGS_BYTES_MAX`] times this at the worst.
pub const JOBS_PER_READ: u32 = 50;
/// Arguments of a job, as JSON without binary data: a quarter of what the store takes for one value.
pub const JOB_ARGS_BYTES_MAX: usize = 8 << 20;
/// Body of a request about a job that already is one.
pub const JOB_CHANGE_BYTES_MAX: usize = 16 << 10;
/// Characters of an idempotency key: room for a few UUIDs or a path.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Largest number of a stage that can be asked for: far above the stages of any pipeline.
pub const JOB_STAGE_MAX: u32 = 65_535;
/// Largest number of a try that can be asked for: far above what can be configured.
pub const JOB_ATTEMPT_MAX: u32 = 1_000_000;
/// How long a wait for a job is when nobody says how long.
pub const JOB_WAIT_SECONDS: u32 = 30;
/// Longest wait for a job.
pub const JOB_WAIT_SECONDS_MAX: u32 = 3600;
/// How long the figures wait for those about jobs, which are read from the disk; then they come without.
pub const STATS_PATIENCE: Duration = Duration::from_millis(500);
/// When a caller who met a full queue should come back.
pub const JOB_RETRY_AFTER: Duration = Duration::from_secs(2);
/// When a caller who met a disk that refuses should come back: the host tries it every second.
pub const STORE_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Tokens in `tokens.json`: each request is compared with all of them.
pub const TOKENS_MAX: usize = 256;
/// Bytes of `tokens.json`: [`TOKENS_MAX`] of them at 500 bytes.
pub const TOKENS_FILE_BYTES_MAX: usize = 128 << 10;
/// How often the token files are looked at.
pub const TOKENS_LOOK: Duration = Duration::from_millis(500);
/// How long a page of another origin may remember that it may call.
pub const PREFLIGHT_SECONDS: u32 = 600;
/// Length of the name of a saved pipeline.
pub const PIPELINE_ID_CHARS_MAX: usize = 64;
/// How long a video that was handed in is kept at least, so that a job can still be made of it; one that a job wants
/// stays until that is over.
pub const UPLOADS_KEPT: Duration = Duration::from_hours(1);
/// How often it is looked for videos that nobody wants.
pub const UPLOADS_LOOK: Duration = Duration::from_mins(10);
/// Videos kept at once; of the size of a body each at the most.
pub const UPLOADS_MAX: usize = 1000;
/// Answers to a client's pings that wait for it to take them.
pub const PONGS_MAX: usize = 16;
/// Largest message of a stream of frames: an image of 12 MiB in base64.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// Frames of one client that wait; then it is not listened to until one of them is done.
pub const FRAMES_WAITING_MAX: usize = 64;
/// The same in bytes, so that 64 small ones may wait, and two large ones.
pub const FRAMES_WAITING_BYTES_MAX: usize = 16 << 20;
/// Tools that one frame names.
pub const FRAME_TOOLS_MAX: usize = 64;
