//! From what was seen of a file to what is wrong with it.
//!
//! Owns the order of the objections, the one that tells most first, and their words. Pure.

use super::digest::Digest;
use super::facts::{Facts, Seen};
use super::format::{Format, Objection, is_binary};
use crate::probe::ask::quote;
use crate::probe::limits::PLACEHOLDER_BYTES_MAX;
use hardpoint_model::manifest::Model;
use std::path::Path;

/// Why the file will not do, and the remedy, in which `{path}` stands for its path.
pub(super) type Fault = (String, String);

const DOWNLOAD: &str = "put the whole file at {path}: download it again";

/// What is wrong with the file, its checksum aside.
pub(super) fn fault(model: &Model, facts: &Facts) -> Option<Fault> {
    match facts {
        Facts::Absent => fail("it is not there", "put the file at {path}"),
        Facts::Dangling(target) => {
            let why = format!("it is a link to {}, which is not there", target.display());
            fail(why, "put the file where the link at {path} points")
        }
        Facts::NotAFile(kind) => fail(format!("it is {kind}, not a file"), "put the file itself at {path}"),
        Facts::Unreadable(why) => {
            fail(format!("it cannot be read: {why}"), "give this user the right to read {path}")
        }
        Facts::File(seen) => content_fault(model, seen),
    }
}

fn content_fault(model: &Model, seen: &Seen) -> Option<Fault> {
    let Seen { bytes, head, tail, .. } = seen;
    let (path, bytes) = (Path::new(&model.path), *bytes);
    if bytes == 0 {
        return fail("it is empty", DOWNLOAD);
    }
    if is_lfs_pointer(head) {
        return fail("it is a git-lfs pointer, not the model", "run `git lfs pull` where {path} lies");
    }
    if is_binary(path) && is_page(head) {
        return fail("it is a web page, not a model", "download {path} from the address of the file itself");
    }
    if is_binary(path) && bytes <= PLACEHOLDER_BYTES_MAX && is_text(head) {
        let why = format!("it is a text of {bytes} bytes, a placeholder for the model");
        return fail(why, "put the model itself at {path}");
    }
    let format = Format::of(path);
    let objection = format.and_then(|format| format.objection(bytes, head, tail));
    match (format, objection) {
        (Some(format), Some(Objection::Magic)) => {
            let why = format!("it does not begin with {}, as its name says", format.expected());
            fail(why, "put the model itself at {path}, or name it by its format")
        }
        (_, Some(Objection::Truncated(why))) => fail(format!("it is truncated: {why}"), DOWNLOAD),
        (_, Some(Objection::Damaged(why))) => fail(format!("it is damaged: {why}"), DOWNLOAD),
        (_, Some(Objection::Magic) | None) => match model.min_bytes {
            Some(least) if bytes < least => {
                fail(format!("it has {bytes} bytes, at least {least} are needed"), DOWNLOAD)
            }
            _ => None,
        },
    }
}

/// What is wrong with its checksum.
pub(super) fn digest_fault(expected: &str, digest: &Digest) -> Option<Fault> {
    match digest {
        Digest::Is(hex) if hex.eq_ignore_ascii_case(expected) => None,
        Digest::Is(hex) => {
            let start = |hex: &str| hex.chars().take(16).collect::<String>().to_lowercase();
            let why = format!("its SHA-256 is {}…, not {}…", start(hex), start(expected));
            fail(why, "put the right file at {path}, or correct `sha256` in hardpoint.toml")
        }
        Digest::Failed(why) => {
            let why = format!("its SHA-256 cannot be computed: {}", quote(why));
            fail(why, "check the disk that {path} lies on")
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every way to fail ends with it")]
fn fail(why: impl Into<String>, remedy: &str) -> Option<Fault> {
    Some((why.into(), remedy.to_owned()))
}

fn is_lfs_pointer(head: &[u8]) -> bool {
    let begins = [b"version https://git-lfs".as_slice(), b"version https://hawser"];
    begins.iter().any(|begin| head.starts_with(begin))
}

fn is_page(head: &[u8]) -> bool {
    let start: Vec<u8> = head.iter().take(256).map(u8::to_ascii_lowercase).collect();
    let start = start.trim_ascii_start();
    [b"<!doctype html".as_slice(), b"<html", b"<?xml"].iter().any(|begin| start.starts_with(begin))
}

/// Whether a person could have written it.
fn is_text(head: &[u8]) -> bool {
    let is_print = |c: char| !c.is_control() || c.is_ascii_whitespace();
    std::str::from_utf8(head).is_ok_and(|text| text.chars().all(is_print))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(path: &str, min_bytes: Option<u64>) -> Model {
        Model { name: "m".to_owned(), path: path.to_owned(), sha256: None, min_bytes }
    }

    /// What is wrong with a file of this content, as if all of it were its first bytes.
    fn check(path: &str, content: &[u8], expected: Option<&str>) {
        check_cut(path, content, content.len() as u64, expected);
    }

    fn check_cut(path: &str, content: &[u8], bytes: u64, expected: Option<&str>) {
        let seen = Seen { bytes, head: content.to_owned(), tail: content.to_owned(), ..Seen::default() };
        let why = fault(&model(path, None), &Facts::File(seen)).map(|(why, _)| why);
        let fits = match (&why, expected) {
            (Some(why), Some(words)) => why.contains(words),
            (why, expected) => why.is_none() && expected.is_none(),
        };
        assert!(fits, "{path}: {why:?} instead of {expected:?}");
    }

    fn zip(comment: &[u8]) -> Vec<u8> {
        let mut zip = b"PK\x03\x04 and a file inside".to_vec();
        let start = u32::try_from(zip.len()).unwrap();
        zip.extend(b"PK\x01\x02 its directory");
        let length = u32::try_from(zip.len()).unwrap() - start;
        zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        zip.extend(length.to_le_bytes().into_iter().chain(start.to_le_bytes()));
        zip.extend(u16::try_from(comment.len()).unwrap().to_le_bytes().iter().chain(comment));
        zip
    }

    fn safetensors(header: &str, tensors: usize) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend(std::iter::repeat_n(7, tensors));
        file
    }

    #[test]
    fn what_is_no_file_is_said_by_its_kind() {
        let why = |facts| fault(&model("m.pt", None), &facts).unwrap().0;
        assert_eq!(why(Facts::Absent), "it is not there");
        assert_eq!(why(Facts::Dangling("/x".into())), "it is a link to /x, which is not there");
        assert_eq!(why(Facts::NotAFile("a folder")), "it is a folder, not a file");
        assert_eq!(why(Facts::Unreadable("denied".to_owned())), "it cannot be read: denied");
    }

    #[test]
    fn placeholders_are_seen_whatever_the_name_promises() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n";
        check("m.pt", b"", Some("it is empty"));
        check("labels.txt", b"", Some("it is empty"));
        check("m.pt", pointer, Some("git-lfs pointer"));
        check("labels.txt", pointer, Some("git-lfs pointer"));
        check("m.bin", b"placeholder\n", Some("a text of 12 bytes"));
        check("m.PTH", b"note: put the weights here", Some("placeholder"));
        check("m.onnx", b"<!DOCTYPE html><html>", Some("a web page"));
        check("labels.txt", b"cat\ndog\n", None);
        check("cascade.xml", b"<?xml version=\"1.0\"?>", None);
        check("config.json", b"{}", None);
    }

    #[test]
    fn torch_files_are_whole_zip_archives_or_pickles() {
        let whole = zip(b"");
        check("m.pt", &whole, None);
        check("m.pth", &zip(b"with a comment"), None);
        check("m.pt", b"\x80\x02}q\x00.", None);
        check("m.pt", &whole[..whole.len() - 20], Some("truncated: the end of its zip archive"));
        check("m.pt", &whole[..10], Some("truncated"));
        let mut lacking = whole;
        lacking.drain(8..16);
        check("m.pt", &lacking, Some("damaged"));
        check("m.pt", &[0x7f; 5000], Some("does not begin with a zip archive or a pickle"));
        check("m.pt", &[b'a'; 5000], Some("does not begin"));
    }

    #[test]
    fn safetensors_say_where_they_end() {
        let header = r#"{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        check("m.safetensors", &safetensors(header, 8), None);
        check("m.safetensors", &safetensors(header, 7), Some("truncated"));
        check("m.safetensors", &safetensors(header, 8)[..20], Some("truncated"));
        check("m.safetensors", &safetensors("{nonsense}", 8), Some("damaged"));
        check("m.safetensors", &zip(b""), Some("does not begin"));
        check("m.safetensors", b"\x01\0\0", Some("does not begin"));
    }

    #[test]
    fn the_counts_of_a_gguf_file_fit_into_it() {
        let file = |tensors: u64, pairs: u64, rest: usize| {
            let mut file = b"GGUF\x03\0\0\0".to_vec();
            file.extend(tensors.to_le_bytes().into_iter().chain(pairs.to_le_bytes()));
            file.extend(std::iter::repeat_n(0, rest));
            file
        };
        check("m.gguf", &file(2, 1, 100), None);
        check("m.gguf", &file(200, 10, 100), Some("truncated"));
        check("m.gguf", &file(u64::MAX, u64::MAX, 0), Some("truncated"));
        check("m.gguf", b"GGUF\x03\0\0\0", Some("truncated"));
        check("m.gguf", b"GGML\0\xff\xff\xff\xff", Some("does not begin with `GGUF`"));
    }

    #[test]
    fn hdf5_files_end_where_they_say() {
        let file = |end: u64, before: usize| {
            let mut file = vec![0; before];
            file.extend(b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00");
            file.extend([0; 16]);
            file.extend(end.to_le_bytes());
            file.extend([0xff; 60]);
            file
        };
        check("m.h5", &file(90, 0), None);
        check("m.hdf5", &file(90, 512), None);
        check("m.h5", &file(5000, 0), Some("truncated: it has 96 bytes of at least 5000"));
        check("m.h5", b"\x89HDF\r\n\x1a\n\0", Some("truncated"));
        check("m.h5", &[0xfe; 5000], Some("does not begin"));
    }

    #[test]
    fn the_outermost_fields_of_an_onnx_file_fit_into_it() {
        let whole = b"\x08\x07\x12\x02pt\x3a\x04\x01\x02\x03\x04\x42\x00";
        check("m.onnx", whole, None);
        check("m.onnx", &whole[..9], Some("truncated: it has 9 bytes of at least 12"));
        check("m.onnx", b"\x08", Some("truncated"));
        check("m.onnx", b"\xff\xff\xff", Some("does not begin with an ONNX model"));
        check("m.onnx", b"\x08\x07\xff\x01", Some("damaged"));
        // The graph of a large model goes far beyond the first bytes.
        check_cut("m.onnx", b"\x08\x07\x3a\x80\x80\x80\x01\0\0", 3_000_000, None);
        check_cut("m.onnx", b"\x08\x07\x3a\x80\x80\x80\x01\0\0", 2_000_000, Some("truncated"));
    }

    #[test]
    fn the_least_size_and_the_checksum_come_last() {
        let seen = Seen { bytes: 8, head: b"cat\ndog\n".to_vec(), ..Seen::default() };
        let why = fault(&model("labels.txt", Some(9)), &Facts::File(seen)).unwrap().0;
        assert_eq!(why, "it has 8 bytes, at least 9 are needed");
        let is = |hex: &str| Digest::Is(hex.to_owned());
        assert_eq!(digest_fault("ABCD", &is("abcd")), None);
        assert_eq!(digest_fault("ABCD", &is("abce")).unwrap().0, "its SHA-256 is abce…, not abcd…");
        let failed = Digest::Failed("the disk is gone".to_owned());
        assert!(digest_fault("abcd", &failed).unwrap().0.ends_with("the disk is gone"));
    }
}
