//! Binary values: small ones in memory, large ones in a sealed memory file that travels by descriptor.
//!
//! Owns making, checking and reading memory files. Must not know where a blob stands in a value.

use crate::limits::{BLOB_BYTES_MAX, BLOB_INLINE_BYTES_MAX};
use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
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

/// What is in memory besides while a memory file is made or compared.
const PIECE_BYTES: usize = 1 << 20;

/// Each takes the kernel a sixth of a second at the most.
const SEAL_TRIES: u32 = 12;

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

impl Blob {
    /// Takes `bytes` as they are when they are small, else copies them once into a memory file.
    pub fn new(bytes: Bytes) -> io::Result<Self> {
        if bytes.len() < BLOB_INLINE_BYTES_MAX {
            return Ok(Self::Inline(bytes));
        }
        Ok(Self::Shared(Arc::new(SharedBlob::create(&bytes)?)))
    }

    /// Takes what is in a regular file, from its position on: what is large is copied piece by piece.
    pub fn of_file(file: &File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        if len < BLOB_INLINE_BYTES_MAX as u64 {
            // Some files say that they are empty, and are not.
            let mut bytes = Vec::new();
            file.take(BLOB_BYTES_MAX + 1).read_to_end(&mut bytes)?;
            return Self::new(bytes.into());
        }
        Ok(Self::Shared(Arc::new(SharedBlob::of_file(file, len)?)))
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
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => one == other,
            (Self::Shared(one), Self::Shared(other)) => Arc::ptr_eq(one, other) || one.holds_the_same(other),
            (Self::Inline(_), Self::Shared(_)) | (Self::Shared(_), Self::Inline(_)) => {
                self.len() == other.len()
                    && matches!((self.to_bytes(), other.to_bytes()), (Ok(a), Ok(b)) if a == b)
            }
        }
    }
}

impl SharedBlob {
    fn create(bytes: &[u8]) -> io::Result<Self> {
        Self::filled(bytes.len() as u64, |mut file| io::Write::write_all(&mut file, bytes))
    }

    fn of_file(file: &File, len: u64) -> io::Result<Self> {
        Self::filled(len, |mut into| {
            let mut pieces = BufReader::with_capacity(PIECE_BYTES, file.take(len));
            let mut copied = 0;
            loop {
                let piece = pieces.fill_buf()?;
                if piece.is_empty() {
                    break;
                }
                io::Write::write_all(&mut into, piece)?;
                let count = piece.len();
                copied += count as u64;
                pieces.consume(count);
            }
            // Somebody may have made it shorter meanwhile.
            if copied == len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        })
    }

    /// One of `len` bytes, which `write` writes.
    fn filled(len: u64, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<Self> {
        if len > BLOB_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{len} bytes are more than a blob holds ({BLOB_BYTES_MAX})"),
            ));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create("hardpoint-blob", flags)?);
        write(&file)?;
        seal(&file)?;
        Ok(Self { fd: file.into(), len })
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
        self.read_at(0, len, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends so many bytes from there on.
    fn read_at(&self, from: u64, count: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.reserve_exact(count);
        let end = bytes.len() + count;
        let begin = bytes.len();
        while bytes.len() < end {
            let at = from + (bytes.len() - begin) as u64;
            match rustix::io::pread(&self.fd, rustix::buffer::spare_capacity(bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Compares piece by piece, so that neither is in memory once more.
    fn holds_the_same(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        let piece = |of: &Self, at: u64, into: &mut Vec<u8>| {
            into.clear();
            let left = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            of.read_at(at, left.min(PIECE_BYTES), into).is_ok()
        };
        let mut same =
            |at: u64| piece(self, at, &mut mine) && piece(other, at, &mut theirs) && mine == theirs;
        self.len == other.len && (0..self.len).step_by(PIECE_BYTES).all(&mut same)
    }
}

/// Pages that the kernel itself holds for a moment cannot be sealed; each try waits for them a while.
fn seal(file: &File) -> io::Result<()> {
    let mut sealed = Ok(());
    for _ in 0..SEAL_TRIES {
        sealed = rustix::fs::fcntl_add_seals(file, SEALS);
        if sealed != Err(rustix::io::Errno::BUSY) {
            break;
        }
    }
    Ok(sealed?)
}

impl AsFd for SharedBlob {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn a_file_of_any_size_is_a_blob_and_blobs_of_the_same_bytes_are_equal() {
        for size in [0, 1, BLOB_INLINE_BYTES_MAX - 1, BLOB_INLINE_BYTES_MAX, (2 << 20) + 17] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            let blob = Blob::of_file(&file).unwrap();
            assert_eq!(blob.to_bytes().unwrap(), bytes, "{size}");
            assert_eq!(matches!(blob, Blob::Shared(_)), size >= BLOB_INLINE_BYTES_MAX);
            assert_eq!(blob, Blob::new(bytes.clone().into()).unwrap(), "{size}");
            let mut other = bytes;
            if let Some(last) = other.last_mut() {
                *last ^= 1;
                assert_ne!(blob, Blob::new(other.into()).unwrap(), "{size}");
            }
        }
    }

    #[test]
    fn a_file_becomes_a_blob_again_and_again() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 800_000]).unwrap();
        for _ in 0..200 {
            file.rewind().unwrap();
            assert_eq!(Blob::of_file(&file).unwrap().len(), 800_000);
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_before_anything_of_it_is_read() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(BLOB_BYTES_MAX + 1).unwrap();
        let error = Blob::of_file(&file).unwrap_err();
        assert!(error.to_string().contains("more than a blob holds"), "{error}");
    }
}
