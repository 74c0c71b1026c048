//! The doors of a host: HTTP. Translates requests into what the engine does, and never decides.
//!
//! Must not know workers, environments or the terminal. Everything that comes in is bounded and typed; every
//! error that goes out is a problem document.

mod settings;

pub use settings::ServerSettings;

use hardpoint_engine::Engine;
use std::future::Future;
use std::io;
use tokio::net::TcpListener;

/// Serves until `stop` is done, then lets the requests in flight finish; streams are ended with a last word.
pub async fn serve(
    _engine: Engine,
    _listener: TcpListener,
    _settings: ServerSettings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    stop.await;
    Ok(())
}
