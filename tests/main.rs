//! Every promise of Hardpoint, one file each, kept by real processes and real kills.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod audit;
mod calls;
mod cancel;
mod cli;
mod compat_access;
mod compat_defects;
mod compat_jobs;
mod compat_mcp;
mod compat_plugins;
mod compat_sockets;
mod config;
mod decisions;
mod dialects;
mod doctor;
mod errors;
mod events;
mod exits;
mod faces;
mod fire;
mod foreign_faults;
mod guards;
mod hooks;
mod host_death;
mod http;
mod http_errors;
mod http_run;
mod http_streams;
mod idle;
mod inputs;
mod instances;
mod isolation;
mod jobs;
mod jobs_bounds;
mod jobs_cancel;
mod jobs_cli;
mod jobs_disk;
mod jobs_stats;
mod jobs_told;
mod lifecycle;
mod logs;
mod logs_disk;
mod memory;
mod neighbours;
mod page;
mod pipelines;
mod pipelines_check;
mod plugin_add;
mod plugin_check;
mod plugin_config;
mod probes;
mod probes_gpu;
mod probes_packages;
mod published;
mod python_client;
mod restart;
mod run_socket;
mod runs;
mod scheduler;
mod secrets;
mod serve;
mod server_cli;
mod sockets;
mod streams;
mod support;
mod truth;
mod usage;
mod warm;
