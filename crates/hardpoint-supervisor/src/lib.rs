//! Owns worker processes: spawn, handshake, calls, deadlines, kill ladder, exit reasons.
//!
//! Must not know jobs, pipelines, manifests on disk, HTTP or the terminal. One actor per worker owns
//! everything about it; a [`Worker`] is only a handle that sends it commands.
//!
//! ```text
//!   Worker (handle) ── Command ──>  actor: the loop, with the socket and the tree
//!                                     │ Input            ▲ Effect
//!                                     ▼                  │
//!                                   core: pure decisions about calls, deadlines and the end
//! ```

mod end;
mod ladder;
pub mod limits;
mod output;
mod python;
mod sdk;
mod spec;
mod state;
mod tools;
mod worker;

pub use ladder::Grace;
pub use output::{Captured, Lost, Numbers, Taken};
pub use python::environment as worker_environment;
pub use sdk::{Sdk, SdkError};
pub use spec::{Bounds, Program, WorkerSpec};
pub use state::{IllegalTransition, WorkerEvent, WorkerState};
pub use tools::{Tool, Tools};
pub use worker::{
    Announced, Call, CallEvent, CallOutput, CallRequest, Hook, Note, StartFailure, Timeout, UsageTally,
    Worker, WorkerLost,
};
