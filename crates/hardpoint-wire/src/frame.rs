//! Frames: two lengths, a JSON header, a body of small blobs, and descriptors for the large ones.
//!
//! A pure codec: bytes and descriptors in, frames out, without I/O. It checks every length before it
//! allocates. Must not know message types beyond the `blobs` table that a header may carry.

use crate::blob::{Blob, SharedBlob};
use crate::limits::{
    BLOB_FDS_MAX, BLOB_INLINE_BYTES_MAX, BLOBS_MAX, FRAME_BODY_BYTES_MAX, FRAME_HEADER_BYTES_MAX,
};
use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

const PREFIX_BYTES: usize = 8;

/// One decoded frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The JSON object, still as text.
    pub header: Bytes,
    /// The binary values that `{"$blob": i}` refers to.
    pub blobs: Vec<Blob>,
}

/// One frame ready to be sent: `fds` go with its first byte.
#[derive(Debug)]
pub struct OutFrame {
    /// Prefix, header and body.
    pub bytes: Vec<u8>,
    /// The large blobs, in order.
    pub fds: Vec<Arc<SharedBlob>>,
}

/// The other side broke the framing; the connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header is longer than allowed, or empty.
    #[error("it announced a header of {0} bytes (1 to {FRAME_HEADER_BYTES_MAX} are allowed)")]
    HeaderLength(u64),
    /// The body is longer than allowed.
    #[error("it announced a body of {0} bytes (at most {FRAME_BODY_BYTES_MAX} are allowed)")]
    BodyLength(u64),
    /// The header is not a JSON object with a sound `blobs` table.
    #[error("it sent a header that cannot be read ({0})")]
    Header(String),
    /// The `blobs` table does not fit the body or the descriptors.
    #[error("it sent blobs that do not fit their frame: {0}")]
    Blobs(String),
    /// Descriptors came that no frame asked for.
    #[error("it sent more descriptors than frames ask for")]
    StrayDescriptors,
    /// The stream ended inside a frame.
    #[error("it closed its socket in the middle of a frame")]
    Truncated,
}

/// One row of a header's `blobs` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRow {
    pub(crate) len: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fd: bool,
}

#[derive(Deserialize)]
struct BlobTable {
    #[serde(default)]
    blobs: Vec<BlobRow>,
}

/// Collects bytes and descriptors and gives out whole frames.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: BytesMut,
    fds: VecDeque<OwnedFd>,
}

impl Decoder {
    /// The buffer to read into; what is added is the next part of the stream.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Takes a descriptor that came with the stream.
    pub fn push_fd(&mut self, fd: OwnedFd) -> Result<(), FrameError> {
        if self.fds.len() >= BLOB_FDS_MAX {
            return Err(FrameError::StrayDescriptors);
        }
        self.fds.push_back(fd);
        Ok(())
    }

    /// Whether part of a frame has come and the rest has not.
    pub fn is_mid_frame(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The next whole frame, or `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((header_len, body_len)) = self.lengths()? else { return Ok(None) };
        let whole = PREFIX_BYTES + header_len + body_len;
        if self.bytes.len() < whole {
            self.bytes.reserve(whole - self.bytes.len());
            return Ok(None);
        }
        self.bytes.advance(PREFIX_BYTES);
        let header = self.bytes.split_to(header_len).freeze();
        let body = self.bytes.split_to(body_len).freeze();
        let blobs = self.take_blobs(&header, body)?;
        Ok(Some(Frame { header, blobs }))
    }

    fn lengths(&self) -> Result<Option<(usize, usize)>, FrameError> {
        let Some((prefix, _)) = self.bytes.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [h0, h1, h2, h3, b0, b1, b2, b3] = *prefix;
        let header_len = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        let body_len = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
        if header_len == 0 || header_len > FRAME_HEADER_BYTES_MAX {
            return Err(FrameError::HeaderLength(header_len as u64));
        }
        if body_len > FRAME_BODY_BYTES_MAX {
            return Err(FrameError::BodyLength(body_len as u64));
        }
        Ok(Some((header_len, body_len)))
    }

    /// Most frames have no blobs: the table is only parsed when its name can be in the header.
    fn take_blobs(&mut self, header: &[u8], mut body: Bytes) -> Result<Vec<Blob>, FrameError> {
        let rows = if contains(header, b"\"blobs\"") {
            let table: BlobTable =
                serde_json::from_slice(header).map_err(|e| FrameError::Header(e.to_string()))?;
            table.blobs
        } else {
            Vec::new()
        };
        let fds = rows.iter().filter(|row| row.fd).count();
        if rows.len() > BLOBS_MAX || fds > BLOB_FDS_MAX {
            return Err(FrameError::Blobs(format!("{} blobs, {fds} of them as descriptors", rows.len())));
        }
        let mut blobs = Vec::with_capacity(rows.len());
        for row in rows {
            blobs.push(if row.fd { self.take_shared(row.len)? } else { take_inline(&mut body, row.len)? });
        }
        if body.is_empty() {
            Ok(blobs)
        } else {
            Err(FrameError::Blobs(format!("{} bytes of the body belong to no blob", body.len())))
        }
    }

    fn take_shared(&mut self, len: u64) -> Result<Blob, FrameError> {
        let fd =
            self.fds.pop_front().ok_or_else(|| FrameError::Blobs("a descriptor is missing".to_owned()))?;
        SharedBlob::accept(fd, len).map(|shared| Blob::Shared(Arc::new(shared))).map_err(FrameError::Blobs)
    }
}

fn take_inline(body: &mut Bytes, len: u64) -> Result<Blob, FrameError> {
    match usize::try_from(len) {
        Ok(len) if len <= body.len() => Ok(Blob::Inline(body.split_to(len))),
        _ => Err(FrameError::Blobs(format!("a blob of {len} bytes where {} are left", body.len()))),
    }
}

impl OutFrame {
    /// Puts a header and its blobs into one frame. The header's own fields must not contain `blobs`.
    pub fn encode(header: &impl Serialize, blobs: &[Blob]) -> Result<Self, FrameError> {
        if blobs.len() > BLOBS_MAX {
            return Err(FrameError::Blobs(format!("{} blobs, at most {BLOBS_MAX} are allowed", blobs.len())));
        }
        let mut bytes = vec![0; PREFIX_BYTES];
        serde_json::to_writer(&mut bytes, header).map_err(|e| FrameError::Header(e.to_string()))?;
        if !blobs.is_empty() {
            append_table(&mut bytes, blobs)?;
        }
        let header_len = bytes.len() - PREFIX_BYTES;
        if header_len > FRAME_HEADER_BYTES_MAX {
            return Err(FrameError::HeaderLength(header_len as u64));
        }
        let mut fds = Vec::new();
        for blob in blobs {
            match blob {
                Blob::Inline(small) if small.len() <= BLOB_INLINE_BYTES_MAX => bytes.extend_from_slice(small),
                Blob::Inline(large) => {
                    return Err(FrameError::Blobs(format!("an inline blob of {} bytes", large.len())));
                }
                Blob::Shared(shared) => fds.push(Arc::clone(shared)),
            }
        }
        if fds.len() > BLOB_FDS_MAX {
            return Err(FrameError::Blobs(format!("{} large blobs, at most {BLOB_FDS_MAX}", fds.len())));
        }
        let body_len = bytes.len() - PREFIX_BYTES - header_len;
        write_prefix(&mut bytes, header_len, body_len)?;
        Ok(Self { bytes, fds })
    }
}

/// Adds `,"blobs":[…]` before the closing brace of the header.
fn append_table(bytes: &mut Vec<u8>, blobs: &[Blob]) -> Result<(), FrameError> {
    let rows: Vec<BlobRow> =
        blobs.iter().map(|blob| BlobRow { len: blob.len(), fd: matches!(blob, Blob::Shared(_)) }).collect();
    if bytes.pop() != Some(b'}') {
        return Err(FrameError::Header("not a JSON object".to_owned()));
    }
    bytes.extend_from_slice(b",\"blobs\":");
    serde_json::to_writer(&mut *bytes, &rows).map_err(|e| FrameError::Header(e.to_string()))?;
    bytes.push(b'}');
    Ok(())
}

fn write_prefix(bytes: &mut [u8], header_len: usize, body_len: usize) -> Result<(), FrameError> {
    let header = u32::try_from(header_len).map_err(|_| FrameError::HeaderLength(header_len as u64))?;
    let body = u32::try_from(body_len).map_err(|_| FrameError::BodyLength(body_len as u64))?;
    if let Some((prefix, _)) = bytes.split_first_chunk_mut::<PREFIX_BYTES>() {
        let [h0, h1, h2, h3] = header.to_be_bytes();
        let [b0, b1, b2, b3] = body.to_be_bytes();
        *prefix = [h0, h1, h2, h3, b0, b1, b2, b3];
    }
    Ok(())
}

/// Whether `needle` stands in `haystack`.
pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}
