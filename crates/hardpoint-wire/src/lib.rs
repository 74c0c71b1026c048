//! The worker protocol: frames, messages, blobs and their limits.
//!
//! Owns everything about the bytes between a host and a worker, as docs/reference/protocol.md tells it.
//! Must not know what a message means for a plugin, a process or a job: it translates, it never decides.
//!
//! ```text
//!   socket  bytes + descriptors   (recvmsg, sendmsg)
//!   frame   header + blobs        (lengths checked before anything is allocated)
//!   message HostMessage, WorkerMessage
//! ```

mod blob;
pub mod document;
mod frame;
pub mod limits;
mod message;
mod payload;
mod socket;

pub use blob::{Blob, SharedBlob};
pub use document::{BadBytes, Unwritable};
pub use frame::{Decoder, Frame, FrameError, OutFrame};
pub use hardpoint_model::log::LogLevel;
pub use message::{
    CallFailed, CallResult, CancelPhase, HostMessage, Item, JobRef, Log, PluginId, PluginRef, Pong, Progress,
    Protocol, Ready, SdkInfo, ToolInfo, Unreadable, Usage, WorkerMessage,
};
pub use payload::{Payload, ValueError};
pub use socket::{Connection, SocketError};

/// The protocol versions this crate speaks.
pub const PROTOCOL: Protocol = Protocol { min: 1, max: 1 };
