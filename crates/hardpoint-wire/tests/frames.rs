//! Properties of the frame codec: what goes in comes out, however it is cut, and garbage is refused
//! before it costs anything. One property runs against the Python worker's own codec.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hardpoint_wire::{Blob, Connection, Decoder, FrameError, OutFrame, Payload};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15..1e15f64).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![4 => "[a-z]{0,6}", 1 => Just("$blob".to_owned()), 1 => Just("$value".to_owned())];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn small_blobs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4)
}

fn header(value: &Value) -> Value {
    json!({"type": "result", "id": 1, "result": value, "execution_time_ms": 0.5, "items": 0})
}

fn inline(blobs: &[Vec<u8>]) -> Vec<Blob> {
    blobs.iter().map(|bytes| Blob::new(bytes.clone().into()).unwrap()).collect()
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
        messages in prop::collection::vec((value(), small_blobs()), 1..5),
        cut in 1..64usize,
    ) {
        let mut stream = Vec::new();
        for (value, blobs) in &messages {
            stream.extend(OutFrame::encode(&header(value), &inline(blobs)).unwrap().bytes);
        }
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for part in stream.chunks(cut) {
            decoder.buffer().extend_from_slice(part);
            while let Some(frame) = decoder.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        prop_assert!(!decoder.is_mid_frame());
        prop_assert_eq!(frames.len(), messages.len());
        for (frame, (value, blobs)) in frames.into_iter().zip(messages) {
            let read: Value = serde_json::from_slice(&frame.header).unwrap();
            prop_assert_eq!(&read["result"], &value);
            prop_assert_eq!(frame.blobs, inline(&blobs));
        }
    }

    #[test]
    fn garbage_is_refused_or_waits_for_more_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(&bytes);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }

    #[test]
    fn a_literal_value_survives_even_when_it_looks_like_a_marker(value in value()) {
        let payload = Payload::literal(value.clone());
        prop_assert_eq!(payload.check(), Ok(()));
        let document = payload.into_document::<()>(&mut |_| unreachable!("there is no blob in it"));
        prop_assert_eq!(document, Ok(value));
    }

    #[test]
    fn an_object_put_together_from_payloads_comes_apart_again(
        fields in prop::collection::btree_map("[a-z$]{1,6}", (value(), small_blobs()), 0..5)
    ) {
        let field = |(name, (value, blobs)): (String, (Value, Vec<Vec<u8>>))| {
            let parts = blobs.into_iter().map(|bytes| ("b".to_owned() + &bytes.len().to_string(),
                Payload::blob(Blob::new(bytes.into()).unwrap())));
            let parts: std::collections::BTreeMap<_, _> = parts.collect();
            (name, Payload::object(parts.into_iter().chain([("v".to_owned(), Payload::literal(value))])))
        };
        let fields: Vec<(String, Payload)> = fields.into_iter().map(field).collect();
        let whole = Payload::object(fields.clone());
        prop_assert_eq!(whole.check(), Ok(()));
        let mut apart = whole.into_fields().unwrap();
        apart.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(apart, fields);
    }
}

#[test]
fn lengths_outside_their_limits_are_refused_before_anything_is_allocated() {
    let check = |prefix: [u8; 8]| {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(&prefix);
        decoder.next_frame().unwrap_err()
    };
    assert_eq!(check([0xff; 8]), FrameError::HeaderLength(u64::from(u32::MAX)));
    assert_eq!(check([0; 8]), FrameError::HeaderLength(0));
    assert_eq!(check([0, 0, 0, 2, 0xff, 0, 0, 0]), FrameError::BodyLength(0xff00_0000));
}

#[test]
fn blobs_that_do_not_fit_their_frame_are_refused() {
    let check = |blobs: &str, body: &[u8]| {
        let header = format!("{{\"type\":\"x\",\"blobs\":{blobs}}}");
        let mut decoder = Decoder::default();
        let lengths = [u32::try_from(header.len()).unwrap(), u32::try_from(body.len()).unwrap()];
        for length in lengths {
            decoder.buffer().extend_from_slice(&length.to_be_bytes());
        }
        decoder.buffer().extend_from_slice(header.as_bytes());
        decoder.buffer().extend_from_slice(body);
        decoder.next_frame()
    };
    assert!(check("[{\"len\":2}]", b"ab").is_ok());
    for (blobs, body) in [
        ("[{\"len\":3}]", b"ab".as_slice()),
        ("[{\"len\":1}]", b"ab"),
        ("[{\"len\":18446744073709551615}]", b"ab"),
        ("[{\"len\":70000,\"fd\":true}]", b""),
        ("7", b""),
    ] {
        assert!(check(blobs, body).is_err(), "{blobs}");
    }
}

#[tokio::test]
async fn large_blobs_travel_by_descriptor_and_arrive_whole() {
    let (left, right) = std::os::unix::net::UnixStream::pair().unwrap();
    let (mut left, mut right) =
        (Connection::new(left.into()).unwrap(), Connection::new(right.into()).unwrap());
    let large: Vec<u8> = (0..10_000_000u32).map(|i| i.to_le_bytes()[1]).collect();
    let blobs = [Blob::new(large.clone().into()).unwrap(), Blob::new(b"small"[..].into()).unwrap()];
    left.queue(OutFrame::encode(&json!({"type": "x"}), &blobs).unwrap());
    left.ready().await.unwrap();
    left.try_flush().unwrap();
    assert_eq!(left.queued_bytes(), 0, "ten megabytes do not pass through the socket");
    let frame = loop {
        right.ready().await.unwrap();
        if let Some(frame) = right.try_read().unwrap() {
            break frame;
        }
    };
    assert_eq!(frame.blobs[0].to_bytes().unwrap(), large);
    assert_eq!(&frame.blobs[1].to_bytes().unwrap()[..], b"small");
}

#[tokio::test]
async fn a_descriptor_that_is_no_sealed_memory_file_is_refused() {
    use rustix::fs::MemfdFlags;
    let unsealed = rustix::fs::memfd_create("t", MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&unsealed, 70_000).unwrap();
    let (pipe, _other) = std::io::pipe().unwrap();
    for (what, fd) in [("unsealed", unsealed), ("pipe", pipe.into())] {
        let mut decoder = Decoder::default();
        decoder.push_fd(fd).unwrap();
        let header = br#"{"type":"x","blobs":[{"len":70000,"fd":true}]}"#;
        decoder.buffer().extend_from_slice(&u32::try_from(header.len()).unwrap().to_be_bytes());
        decoder.buffer().extend_from_slice(&[0; 4]);
        decoder.buffer().extend_from_slice(header);
        assert!(matches!(decoder.next_frame(), Err(FrameError::Blobs(_))), "{what}");
    }
}

/// Feeds frames to the Python worker's decoder and reads what its encoder makes of them.
#[test]
fn rust_and_python_read_each_other() {
    let peer = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../python/tests/frame_peer.py");
    let mut python = Command::new("python3")
        .arg(peer)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is a prerequisite of this project");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let messages: Vec<(Value, Vec<Vec<u8>>)> =
        (0..200).map(|_| (value(), small_blobs()).new_tree(&mut runner).unwrap().current()).collect();
    let mut stream = Vec::new();
    for (value, blobs) in &messages {
        let mut fields: Vec<(String, Payload)> = vec![("v".to_owned(), Payload::literal(value.clone()))];
        let parts = inline(blobs).into_iter().enumerate();
        fields.extend(parts.map(|(i, blob)| (format!("b{i}"), Payload::blob(blob))));
        let payload = Payload::object(fields);
        stream.extend(OutFrame::encode(&header(&payload.value), &payload.blobs).unwrap().bytes);
    }
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&stream).unwrap());
    let mut answer = Vec::new();
    python.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    writer.join().unwrap();
    assert!(python.wait().unwrap().success());
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(&answer);
    for (value, blobs) in messages {
        let frame = decoder.next_frame().unwrap().expect("as many frames as were sent");
        let Ok(hardpoint_wire::WorkerMessage::Result(result)) = hardpoint_wire::WorkerMessage::decode(frame)
        else {
            panic!("not a result")
        };
        let fields = result.result.unwrap().into_fields().unwrap();
        for (name, field) in fields {
            if name == "v" {
                assert_eq!(field.into_document::<()>(&mut |_| Err(())), Ok(value.clone()));
            } else {
                let index: usize = name[1..].parse().unwrap();
                assert_eq!(field.as_blob().unwrap().to_bytes().unwrap(), blobs[index]);
            }
        }
    }
    assert!(!decoder.is_mid_frame());
}
