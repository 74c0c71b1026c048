//! A connection: frames over a Unix stream socket that also carries descriptors.
//!
//! Reads with `recvmsg` only, because a plain `read` would silently drop descriptors that are passed.
//! Must not know messages: it moves frames.

use crate::blob::SharedBlob;
use crate::frame::{Decoder, Frame, FrameError, OutFrame};
use crate::limits::{BLOB_FDS_MAX, READ_BYTES};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The connection is over.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The other side broke the framing.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The kernel said no.
    #[error("the socket failed")]
    Io(#[from] io::Error),
}

/// One end of a worker's socket: reads frames, and queues what is to be written.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    chunk: Box<[u8]>,
    ended: bool,
    received_bytes: u64,
    out: VecDeque<Chunk>,
}

/// A stretch of the outgoing stream; the descriptors go with its first byte.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<Arc<SharedBlob>>,
}

/// Small frames are put together into one write up to this size.
const COALESCE_BYTES_MAX: usize = 64 << 10;

impl Connection {
    /// Takes over a connected socket. Must be called inside a tokio runtime.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self {
            stream: UnixStream::from_std(socket)?,
            decoder: Decoder::default(),
            chunk: vec![0; READ_BYTES].into_boxed_slice(),
            ended: false,
            received_bytes: 0,
            out: VecDeque::new(),
        })
    }

    /// Waits until the socket can make progress in a direction that has something to do.
    pub async fn ready(&self) -> io::Result<()> {
        let interest =
            if self.out.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        self.stream.ready(interest).await.map(drop)
    }

    /// A frame that has already been read, else what one read brings; `None` when nothing is there yet.
    pub fn try_read(&mut self) -> Result<Option<Frame>, SocketError> {
        let read = self.read();
        if read.is_err() {
            // What follows a broken frame has no meaning: nothing more is read.
            self.ended = true;
            self.decoder = Decoder::default();
        }
        read
    }

    fn read(&mut self) -> Result<Option<Frame>, SocketError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(None);
            }
            match self.fill() {
                Ok(0) if self.decoder.is_mid_frame() => return Err(FrameError::Truncated.into()),
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(SocketError::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(SocketError::Io(e)) if e.kind() == io::ErrorKind::ConnectionReset => self.ended = true,
                Err(e) => return Err(e),
            }
        }
    }

    /// Whether nothing more will come: the other side has closed or broken the framing.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// How much has come so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Whether part of a frame has come and the rest has not.
    pub fn is_mid_frame(&self) -> bool {
        self.decoder.is_mid_frame()
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.out.iter().map(|chunk| chunk.bytes.len() - chunk.sent).sum()
    }

    /// Queues a frame; [`Self::try_flush`] writes it.
    pub fn queue(&mut self, frame: OutFrame) {
        if let Some(last) = self.out.back_mut().filter(|last| frame.fds.is_empty() && last.takes(&frame)) {
            last.bytes.extend_from_slice(&frame.bytes);
            return;
        }
        self.out.push_back(Chunk { bytes: frame.bytes, sent: 0, fds: frame.fds });
    }

    /// Writes what the socket takes now.
    pub fn try_flush(&mut self) -> io::Result<()> {
        while let Some(chunk) = self.out.front_mut() {
            let socket = &self.stream;
            match socket.try_io(Interest::WRITABLE, || chunk.send(socket.as_fd())) {
                Ok(()) if chunk.sent == chunk.bytes.len() => drop(self.out.pop_front()),
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => {
                    self.out.clear();
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Whether something has come, found out without waiting and without the runtime.
    pub fn peek(&mut self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !matches!(rustix::net::recv(&self.stream, &mut byte[..], flags), Err(rustix::io::Errno::AGAIN))
    }

    fn fill(&mut self) -> Result<usize, SocketError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BLOB_FDS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let Self { stream, chunk, .. } = self;
        let received = stream.try_io(Interest::READABLE, || {
            let into = &mut [IoSliceMut::new(chunk)];
            Ok(rustix::net::recvmsg(stream.as_fd(), into, &mut control, RecvFlags::CMSG_CLOEXEC)?)
        })?;
        if received.flags.contains(rustix::net::ReturnFlags::CTRUNC) {
            return Err(FrameError::StrayDescriptors.into());
        }
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                for fd in fds {
                    self.decoder.push_fd(fd)?;
                }
            }
        }
        self.received_bytes += received.bytes as u64;
        self.decoder.buffer().extend_from_slice(self.chunk.get(..received.bytes).unwrap_or_default());
        Ok(received.bytes)
    }
}

impl Chunk {
    fn takes(&self, frame: &OutFrame) -> bool {
        self.bytes.len() + frame.bytes.len() <= COALESCE_BYTES_MAX
    }

    fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(|shared| shared.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BLOB_FDS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&fds));
        }
        let rest = self.bytes.get(self.sent..).unwrap_or_default();
        self.sent += rustix::net::sendmsg(socket, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL)?;
        drop(fds);
        self.fds.clear();
        Ok(())
    }
}
