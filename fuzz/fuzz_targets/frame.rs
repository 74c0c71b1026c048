//! Whatever a worker sends: bytes in chunks of any size become frames, frames become messages.
//!
//! Owns one property beyond "no crash": how a stream is cut into chunks never changes what is read.
#![no_main]

use hardpoint_wire::{Decoder, Frame, FrameError, WorkerMessage};
use libfuzzer_sys::fuzz_target;

/// What an input that is a bare header is followed by.
const BODY_MARK: u8 = 0;
/// Largest chunk; the sizes themselves are taken from the input.
const CHUNK_BYTES_MAX: usize = 61;

fuzz_target!(|data: &[u8]| {
    let stream = to_stream(data);
    let (whole, whole_end) = read(std::iter::once(stream.as_slice()));
    let (chunked, chunked_end) = read(chunks(&stream).into_iter());
    assert_eq!(whole, chunked);
    assert_eq!(whole_end, chunked_end);
    for frame in whole {
        // A message that was understood can be said again.
        if let Ok(message) = WorkerMessage::decode(frame) {
            let _ = message.encode();
        }
    }
});

/// Input that opens like JSON is the header of one frame, so that the fuzzer need not guess its length.
fn to_stream(data: &[u8]) -> Vec<u8> {
    if data.first() != Some(&b'{') {
        return data.to_vec();
    }
    let end = data.iter().position(|&byte| byte == BODY_MARK).unwrap_or(data.len());
    let (header, body) = data.split_at(end);
    let lengths = [header, body].map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    [lengths.as_flattened(), header, body].concat()
}

fn chunks(stream: &[u8]) -> Vec<&[u8]> {
    let mut sizes = stream.iter().cycle().map(|&byte| 1 + usize::from(byte) % CHUNK_BYTES_MAX);
    let mut rest = stream;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        found.push(chunk);
        rest = after;
    }
    found
}

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.buffer().extend_from_slice(chunk);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
