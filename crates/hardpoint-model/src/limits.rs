//! Owns every bound of this crate, each with the sum behind it.

/// Bytes of one `hardpoint.toml`: a hundred tools with a paragraph each are about 60 KiB.
pub const MANIFEST_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one pipeline definition: 64 stages with 16 KiB of config each.
pub const PIPELINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one `hardpoint.yaml`: a thousand plugins with 256 bytes of settings each.
pub const CONFIG_BYTES_MAX: usize = 256 * 1024;

/// Stages of one pipeline. The longest real chain seen has 9.
pub const PIPELINE_STAGES_MAX: usize = 64;

/// Levels of nesting in a definition file; the same number as on the worker protocol.
pub const NESTING_MAX: usize = 100;

/// YAML nodes of one definition file: `PIPELINE_BYTES_MAX` at eight bytes a node, rounded up.
pub const YAML_NODES_MAX: usize = 150_000;

/// Diagnostics kept for one file: more than a screen full helps nobody.
pub const DIAGNOSTICS_MAX: usize = 50;

/// Field errors kept for one checked value.
pub const FIELD_ERRORS_MAX: usize = 32;

/// Mistakes told of one configuration of a plugin: more than a person fills in before looking.
pub const CONFIG_ERRORS_MAX: usize = 1000;

/// Characters of a foreign value or name repeated inside a message.
pub const QUOTED_CHARS_MAX: usize = 60;

/// Names offered by a "did you mean" search: 1000 names of 64 bytes compare in about a millisecond.
pub const SUGGESTION_NAMES_MAX: usize = 1000;

/// Nodes of one JSON Schema handed to `schema::compile`: 1000 tool parameters with 20 keywords each.
pub const SCHEMA_NODES_MAX: usize = 20_000;

/// Steps the regular expression engine may go back on one `pattern`: about 10 ms.
pub const PATTERN_BACKTRACKS_MAX: usize = 100_000;

/// Bytes of one compiled regular expression.
pub const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Length of a plugin name: it becomes a file name and a part of environment variables.
pub const PLUGIN_NAME_CHARS_MAX: usize = 64;

/// Length of an instance id: as of a plugin name, which the id of the default instance is.
pub const INSTANCE_ID_CHARS_MAX: usize = 64;

/// Length of a tool name.
pub const TOOL_NAME_CHARS_MAX: usize = 128;

/// One week: longer than any single call that a supervisor should still believe in.
pub const TIMEOUT_SECONDS_MAX: u32 = 7 * 24 * 60 * 60;

/// 16 TiB in MiB: above the largest machines.
pub const MEMORY_MB_MAX: u64 = 16 * 1024 * 1024;
/// Most memory that a manifest may say a plugin needs, in MiB: more than there is anywhere, so that what is asked for by
/// mistake is told as too much by whoever knows the machine.
pub const NEEDED_MB_MAX: u64 = 1_000_000_000_000;

/// Calls that one worker may run at a time; the protocol's `CALLS_IN_FLIGHT_MAX`.
pub const CONCURRENCY_MAX: u32 = 1024;

/// Plugins that are started at the same time: each start is a process that imports packages.
pub const STARTS_AT_ONCE_MAX: u32 = 256;

/// Events that are kept: at 300 bytes each some 300 GB, more than one file should have.
pub const EVENTS_KEPT_MAX: u32 = 1_000_000_000;

/// Bytes of a text inside an event, as of a log line: clients take events by the thousand.
pub const EVENT_TEXT_BYTES_MAX: usize = 16 * 1024;

/// 2 GiB in MiB, the largest blob of the worker protocol.
pub const BODY_MB_MAX: u32 = 2048;

/// Size of one file of a log, in MiB: a quarter of a second to look through.
pub const LOG_FILE_MB_MAX: u32 = 256;

/// Files of the log of one instance.
pub const LOG_FILES_MAX: u32 = 64;

/// Requests a second: far above what one host serves.
pub const REQUESTS_PER_SECOND_MAX: u32 = 1_000_000;

/// Bytes of the name of an error, of a resource, or of whatever else an error names.
pub const ERROR_NAME_BYTES_MAX: usize = 200;

/// Bytes of an error's message: a few screens.
pub const ERROR_MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of the `repr()` of an exception.
pub const ERROR_REPR_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a traceback: about 500 frames.
pub const ERROR_TRACEBACK_BYTES_MAX: usize = 64 * 1024;

/// Wrong fields that an error names, with [`ERROR_FIELD_BYTES_MAX`] each.
pub const ERROR_FIELDS_MAX: usize = 100;

/// Bytes of the name of a wrong field.
pub const ERROR_FIELD_BYTES_MAX: usize = 400;

/// Jobs that wait or run: a hundred thousand take about 200 MB of memory.
pub const JOBS_PENDING_MAX: u32 = 200_000;
/// Variables that a plugin can declare; a worker that says more is not believed further.
pub const WORKER_ENV_MAX: usize = 256;
/// Units that are summed up for one instance under one configuration; more are let go.
pub const USAGE_UNITS_KEPT_MAX: usize = 256;
