//! Binary values: small ones in memory, large ones in a sealed memory file that travels by descriptor.
//!
//! Owns making, checking and reading memory files. Must not know where a blob stands in a value.

use crate::limits::{BLOB_BYTES_MAX, BLOB_INLINE_BYTES_MAX};
use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// One binary value. Cheap to clone: the bytes are shared.
#[derive(Debug, Clone)]
pub enum Blob {
    /// Lies in the frame's body.
    Inline(Bytes),
    /// Lies in a memory file; passing it on to another worker copies nothing.
    Shared(Arc<SharedBlob>),
}

/// A memory file whose size and content can no longer change.
#[derive(Debug)]
pub struct SharedBlob {
    fd: OwnedFd,
    len: u64,
}

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

impl Blob {
    /// Takes `bytes` as they are when they are small, else copies them once into a memory file.
    pub fn new(bytes: Bytes) -> io::Result<Self> {
        if bytes.len() < BLOB_INLINE_BYTES_MAX {
            return Ok(Self::Inline(bytes));
        }
        Ok(Self::Shared(Arc::new(SharedBlob::create(&bytes)?)))
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Shared(shared) => shared.len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes: shared when inline, one copy when they lie in a memory file.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        match self {
            Self::Inline(bytes) => Ok(bytes.clone()),
            Self::Shared(shared) => shared.read().map(Bytes::from),
        }
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && matches!((self.to_bytes(), other.to_bytes()), (Ok(a), Ok(b)) if a == b)
    }
}

impl SharedBlob {
    fn create(bytes: &[u8]) -> io::Result<Self> {
        let len = bytes.len() as u64;
        if len > BLOB_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{len} bytes are more than a blob holds ({BLOB_BYTES_MAX})"),
            ));
        }
        let fd = rustix::fs::memfd_create("hardpoint-blob", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&fd, rest))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        rustix::fs::fcntl_add_seals(&fd, SEALS)?;
        Ok(Self { fd, len })
    }

    /// Accepts a descriptor that a worker passed, once it is shown to be what it claims to be.
    pub(crate) fn accept(fd: OwnedFd, len: u64) -> Result<Self, String> {
        if len > BLOB_BYTES_MAX {
            return Err(format!("a blob of {len} bytes, more than {BLOB_BYTES_MAX}"));
        }
        let seals = rustix::fs::fcntl_get_seals(&fd).map_err(|_| "a descriptor that is no memory file")?;
        if !seals.contains(SEALS) {
            return Err("a memory file that is not sealed".to_owned());
        }
        let size = rustix::fs::fstat(&fd).map_err(|e| format!("a memory file without a size ({e})"))?.st_size;
        if u64::try_from(size) != Ok(len) {
            return Err(format!("a memory file of {size} bytes announced as {len}"));
        }
        Ok(Self { fd, len })
    }

    /// Copies all of it into `file`, inside the kernel.
    pub fn write_to(&self, file: &File) -> io::Result<()> {
        let mut at = 0;
        while at < self.len {
            let rest = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            // At explicit offsets: the position of the descriptor is shared with the worker that sent it.
            match rustix::fs::sendfile(file, &self.fd, Some(&mut at), rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let at = bytes.len() as u64;
            match rustix::io::pread(&self.fd, rustix::buffer::spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(bytes)
    }
}

impl AsFd for SharedBlob {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
