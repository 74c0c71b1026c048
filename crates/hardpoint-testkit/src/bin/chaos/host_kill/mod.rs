//! Rounds of: a real server on one data folder, clients that ask for everything at once, SIGKILL at a random moment,
//! the next server on the same folder. Then the database is read and held against what was seen from outside.
//!
//! Owns the verdict on jobs: what was accepted ends once, nothing runs twice at once, no event is missing.
//!
//! ```text
//!   rounds ── plan (random) ──> server (start, kill) <── clients (random) ──> ledger: what was answered
//!     │                           ^                       follower ─────────> events: what was told
//!     │                           └─ workers ───────────────────────────────> witness: what was really run
//!     └── settle: one more server, until nothing waits ──> verdict: database == ledger == events == witness
//! ```

mod clients;
mod follower;
mod http;
mod ledger;
mod plan;
mod rounds;
mod server;
mod settle;
mod tries;
mod verdict;
mod witness;
mod work;

pub(crate) use rounds::{Order, run};
pub(crate) use server::become_program;
