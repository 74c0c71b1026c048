//! The doors of a host: HTTP. Translates requests into what the engine does, and never decides.
//!
//! Must not know workers, environments or the terminal. Everything that comes in is bounded and typed; every
//! error that goes out is a problem document.
//!
//! ```text
//!   connection ── gate: size, host, origin, token, rate, scope ── route ── Engine
//!     (serve)                                                       ├── run: body -> call -> document or stream
//!                                                                   └── jobs: body -> Jobs -> document or stream
//! ```

mod accept;
pub mod access;
mod app;
mod compat;
mod connection;
mod disk;
mod extract;
mod figures;
mod gate;
mod jobs;
pub mod limits;
mod lines;
mod log_lines;
mod openapi;
mod pipelines;
mod problem;
mod route;
mod routes;
mod run;
mod serve;
mod settings;
mod socket;

pub use openapi::openapi;
pub use serve::serve;
pub use settings::ServerSettings;
