//! The formats of model files: what their first bytes must be, and when the rest is too short for them.
//!
//! Owns the bytes of the formats. Pure.

use crate::probe::limits::SAFETENSORS_HEADER_BYTES_MAX;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A format that is known by the ending of a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `.pt`, `.pth`: a zip archive or a pickle.
    Torch,
    /// `.onnx`: protocol buffers.
    Onnx,
    /// `.safetensors`: a length, a JSON header, tensors.
    Safetensors,
    /// `.gguf`: counts, tables, tensors.
    Gguf,
    /// `.h5`, `.hdf5`.
    Hdf5,
}

/// What a format has against a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Objection {
    /// It does not begin as it must.
    Magic,
    /// It is shorter than it says.
    Truncated(String),
    /// It contradicts itself.
    Damaged(&'static str),
}

/// Endings of files that are binary, whether their format is known here or not.
const BINARY: [&str; 22] = [
    "pt",
    "pth",
    "onnx",
    "safetensors",
    "gguf",
    "h5",
    "hdf5",
    "bin",
    "ckpt",
    "engine",
    "ggml",
    "joblib",
    "keras",
    "npy",
    "npz",
    "pb",
    "pickle",
    "pkl",
    "plan",
    "tflite",
    "trt",
    "weights",
];

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Whether the name says that a text cannot be the file.
pub(super) fn is_binary(path: &Path) -> bool {
    BINARY.contains(&ending(path).as_str())
}

impl Format {
    pub(super) fn of(path: &Path) -> Option<Self> {
        match ending(path).as_str() {
            "pt" | "pth" => Some(Self::Torch),
            "onnx" => Some(Self::Onnx),
            "safetensors" => Some(Self::Safetensors),
            "gguf" => Some(Self::Gguf),
            "h5" | "hdf5" => Some(Self::Hdf5),
            _ => None,
        }
    }

    /// For people: `a zip archive or a pickle`.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Torch => "a zip archive or a pickle",
            Self::Onnx => "an ONNX model",
            Self::Safetensors => "the header of a safetensors file",
            Self::Gguf => "`GGUF`",
            Self::Hdf5 => "the signature of HDF5",
        }
    }

    /// What is wrong with a file of `bytes` bytes; `tail` are the last bytes of a zip archive.
    pub(super) fn objection(self, bytes: u64, head: &[u8], tail: &[u8]) -> Option<Objection> {
        match self {
            Self::Torch => torch(bytes, head, tail),
            Self::Onnx => onnx(bytes, head),
            Self::Safetensors => safetensors(bytes, head),
            Self::Gguf => gguf(bytes, head),
            Self::Hdf5 => hdf5(bytes, head),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `it has 10 bytes of at least 20`
fn shorter(bytes: u64, needed: u64) -> Option<Objection> {
    let why = || format!("it has {bytes} bytes of at least {needed}");
    (bytes < needed).then(|| Objection::Truncated(why()))
}

fn torch(bytes: u64, head: &[u8], tail: &[u8]) -> Option<Objection> {
    if head.starts_with(b"\x80") {
        return None;
    }
    if !head.starts_with(b"PK\x03\x04") {
        return Some(Objection::Magic);
    }
    let cut = || Some(Objection::Truncated("the end of its zip archive is missing".to_owned()));
    let Some(at) = tail.windows(4).rposition(|window| window == b"PK\x05\x06") else { return cut() };
    let (Some(length), Some(start)) = (u32_at(tail, at + 12), u32_at(tail, at + 16)) else { return cut() };
    // An archive of more than 4 GiB has these elsewhere.
    if start == u64::from(u32::MAX) || length == u64::from(u32::MAX) {
        return None;
    }
    let directory_end = bytes.saturating_sub((tail.len() - at) as u64);
    (start + length > directory_end)
        .then_some(Objection::Damaged("its zip archive lacks a part in the middle"))
}

/// Walks over the fields of the outermost message as far as the first bytes go.
fn onnx(bytes: u64, head: &[u8]) -> Option<Objection> {
    // Fields of ONNX's ModelProto: number, and whether it is a length with bytes behind it.
    const FIELDS: [(u64, bool); 11] = [
        (1, false),
        (2, true),
        (3, true),
        (4, true),
        (5, false),
        (6, true),
        (7, true),
        (8, true),
        (14, true),
        (20, true),
        (25, true),
    ];
    let mut at = 0;
    while let Some((tag, next)) = varint(head, at) {
        let is_field =
            |&(number, has_length): &(u64, bool)| tag == number << 3 | if has_length { 2 } else { 0 };
        let Some((_, has_length)) = FIELDS.iter().find(|field| is_field(field)) else {
            return Some(if at == 0 {
                Objection::Magic
            } else {
                Objection::Damaged("a field of it is no ONNX")
            });
        };
        let Some((value, end)) = varint(head, next) else { return shorter(bytes, next as u64 + 1) };
        let end = if *has_length { (end as u64).checked_add(value) } else { Some(end as u64) };
        let Some(end) = end else { return Some(Objection::Damaged("a field of it is endless")) };
        if end > bytes {
            return shorter(bytes, end);
        }
        at = usize::try_from(end).unwrap_or(usize::MAX);
    }
    (at == 0).then_some(Objection::Magic)
}

/// The number at `at` and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (n, byte) in bytes.get(at..)?.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(7 * n).unwrap_or(u32::MAX)).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some((value, at + n + 1));
        }
    }
    None
}

/// The one field of a tensor that says how long the file is.
#[derive(Deserialize)]
struct Tensor {
    #[serde(default)]
    data_offsets: Option<(u64, u64)>,
}

fn safetensors(bytes: u64, head: &[u8]) -> Option<Objection> {
    let (Some(header), Some(b'{')) = (u64_at(head, 0), head.get(8)) else { return Some(Objection::Magic) };
    // The format allows 100 MB; a larger number is some other file that has a brace there.
    if header > 100_000_000 {
        return Some(Objection::Magic);
    }
    if let Some(short) = shorter(bytes, header + 8) {
        return Some(short);
    }
    if header > SAFETENSORS_HEADER_BYTES_MAX {
        return None;
    }
    let json = head.get(8..usize::try_from(header + 8).ok()?)?;
    let Ok(tensors) = serde_json::from_slice::<BTreeMap<String, Tensor>>(json) else {
        return Some(Objection::Damaged("its header is no JSON of safetensors"));
    };
    let last = tensors.values().filter_map(|tensor| tensor.data_offsets).map(|(_, end)| end).max();
    shorter(bytes, last.unwrap_or(0).saturating_add(header + 8))
}

fn gguf(bytes: u64, head: &[u8]) -> Option<Objection> {
    if !head.starts_with(b"GGUF") {
        return Some(Objection::Magic);
    }
    // Version 1 counts in 32 bits, and files of the other byte order have their version in the upper half.
    let is_known = matches!(u32_at(head, 4), Some(2..=0xffff));
    match (u64_at(head, 8), u64_at(head, 16)) {
        (Some(tensors), Some(pairs)) if is_known => {
            // A tensor takes at least 32 bytes in its table, a pair of key and value at least 13.
            shorter(
                bytes,
                24_u64.saturating_add(tensors.saturating_mul(32)).saturating_add(pairs.saturating_mul(13)),
            )
        }
        (Some(_), Some(_)) => None,
        _ => shorter(bytes, 24),
    }
}

fn hdf5(bytes: u64, head: &[u8]) -> Option<Objection> {
    const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
    // A block of the user's own may stand before it: 512 bytes, or a power of two times that.
    let places = std::iter::once(0).chain((9..16).map(|power| 1 << power));
    let block = places.filter_map(|at| head.get(at..)).find(|rest| rest.starts_with(SIGNATURE));
    let Some(block) = block else { return Some(Objection::Magic) };
    // Where the superblock says that the file ends, if its addresses have 8 bytes, as they have in practice.
    let end = match (block.get(8), block.get(9), block.get(13)) {
        (Some(0), _, Some(8)) => u64_at(block, 40),
        (Some(1), _, Some(8)) => u64_at(block, 44),
        (Some(2 | 3), Some(8), _) => u64_at(block, 28),
        (Some(_), Some(_), Some(_)) => return None,
        _ => None,
    };
    match end {
        Some(end) => shorter(bytes, end),
        None => shorter(bytes, 48).or(Some(Objection::Damaged("its header is incomplete"))),
    }
}
