//! One connection: what its requests leave to be done on it, and whether its other side takes what it is sent.
//!
//! Owns the watch over writing. Must not know what is sent, or what is done after a request.
//!
//! ```text
//!   follower ── must_take ──> Connection <── watches ── Watched ── TcpStream
//!      ^                          │ nothing was taken for too long: the write fails, the connection ends
//!      └──── has_stalled ─────────┘
//! ```

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection as a request sees it. Cheap to clone; all are the same one.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<State>);

#[derive(Default)]
struct State {
    must_take: AtomicBool,
    has_stalled: AtomicBool,
    afterwards: Mutex<Option<Work>>,
}

impl Connection {
    /// Whether the other side is cut off when it takes nothing of what it is sent. Whoever only reads slowly is not.
    pub(crate) fn must_take(&self, must: bool) {
        self.0.must_take.store(must, Ordering::Relaxed);
    }

    /// Whether it was cut off.
    pub(crate) fn has_stalled(&self) -> bool {
        self.0.has_stalled.load(Ordering::Relaxed)
    }

    /// Leaves work to be done once the connection speaks HTTP no more. It is done by the connection's own task, so that
    /// it keeps the connection's place, and ends with it.
    pub(crate) fn afterwards(&self, work: impl Future<Output = ()> + Send + 'static) {
        *self.0.afterwards.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(work));
    }

    pub(crate) fn take_afterwards(&self) -> Option<Work> {
        self.0.afterwards.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("has_stalled", &self.has_stalled()).finish_non_exhaustive()
    }
}

/// A stream whose other side is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    connection: Connection,
    /// How long something may wait to be taken.
    stall: Duration,
    /// Runs while something does.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, connection: Connection, stall: Duration) -> Self {
        Self { stream, connection, stall, waiting: None }
    }

    /// What became of a write: if it has waited for too long, it fails.
    fn judged<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() || !self.connection.0.must_take.load(Ordering::Relaxed) {
            self.waiting = None;
            return write;
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        ready!(waiting.as_mut().poll(cx));
        self.connection.0.has_stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judged(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.judged(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const STALL: Duration = Duration::from_millis(100);

    async fn pair() -> (Watched, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (Watched::new(stream, Connection::default(), STALL), other)
    }

    /// Writes until nothing more is taken, or the write fails.
    async fn fill(watched: &mut Watched) -> io::Result<()> {
        let bytes = vec![0; 1 << 20];
        while let Ok(written) = tokio::time::timeout(STALL * 3, watched.write_all(&bytes)).await {
            written?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn whoever_takes_nothing_is_cut_off() {
        let (mut watched, _other) = pair().await;
        watched.connection.must_take(true);
        let cut = fill(&mut watched).await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert!(watched.connection.has_stalled());
    }

    #[tokio::test]
    async fn whoever_takes_a_little_has_all_the_time_again() {
        let (mut watched, mut other) = pair().await;
        fill(&mut watched).await.unwrap();
        watched.connection.must_take(true);
        let bytes = vec![0; 1 << 20];
        let mut write = std::pin::pin!(watched.write_all(&bytes));
        assert!(write.as_mut().now_or_never().is_none());
        let mut taken = vec![0; 1 << 16];
        tokio::select! {
            written = write => written.unwrap(),
            () = async { while other.read(&mut taken).await.unwrap() > 0 {} } => panic!("it was closed"),
        }
        assert!(watched.waiting.is_none() && !watched.connection.has_stalled());
    }

    #[tokio::test]
    async fn whoever_follows_nothing_may_take_nothing() {
        let (mut watched, _other) = pair().await;
        fill(&mut watched).await.unwrap();
        assert!(!watched.connection.has_stalled());
    }
}
