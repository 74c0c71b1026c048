//! Every bound of jobs, in one place.

/// Jobs that wait or run; more are refused. A hundred thousand take about 100 MB.
pub const PENDING_MAX: usize = 200_000;
/// Jobs started between two looks at other inputs.
pub const STARTS_PER_TURN: usize = 64;
