//! Every message of the protocol, as `tests/wire/*.json` writes it, reads and writes back unchanged.
//! The Python side is tested against the same files, so that a change of the protocol shows in review.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use hardpoint_wire::{Blob, Decoder, Frame, HostMessage, OutFrame, Protocol, Unreadable, WorkerMessage};
use serde_json::Value;
use std::path::PathBuf;

const HOST: [&str; 14] = [
    "hello",
    "initialize",
    "validate",
    "call",
    "cancel",
    "credit",
    "ping",
    "reconfigure",
    "prefetch",
    "enable",
    "disable",
    "config_options",
    "cleanup",
    "shutdown",
];
const WORKER: [&str; 8] = ["ready", "result", "error", "item", "progress", "log", "usage", "pong"];

fn example(name: &str) -> Value {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/wire").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The blobs that an example announces, with content of the announced length.
fn blobs(example: &Value) -> Vec<Blob> {
    let rows = example["blobs"].as_array().cloned().unwrap_or_default();
    let len = |row: &Value| usize::try_from(row["len"].as_u64().unwrap()).unwrap();
    rows.iter().map(|row| Blob::new(vec![7; len(row)].into()).unwrap()).collect()
}

fn header(frame: &OutFrame) -> Value {
    let len = u32::from_be_bytes(frame.bytes[..4].try_into().unwrap()) as usize;
    serde_json::from_slice(&frame.bytes[8..8 + len]).unwrap()
}

#[test]
fn every_message_of_the_host_is_written_as_its_example() {
    for name in HOST {
        let example = example(name);
        assert_eq!(example["type"], name);
        let mut fields = example.clone();
        fields.as_object_mut().unwrap().remove("blobs");
        let message: HostMessage = serde_json::from_value(fields).unwrap_or_else(|e| panic!("{name}: {e}"));
        let frame = message.encode(&blobs(&example)).unwrap();
        assert_eq!(header(&frame), example, "{name}");
    }
}

#[test]
fn every_message_of_a_worker_reads_and_writes_back_as_its_example() {
    for name in WORKER {
        let example = example(name);
        assert_eq!(example["type"], name);
        let frame = Frame { header: example.to_string().into(), blobs: blobs(&example) };
        let message = WorkerMessage::decode(frame).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(as_floats(header(&message.encode().unwrap())), as_floats(example), "{name}");
    }
}

/// JSON has one kind of number: 812 and 812.0 are the same message.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.into_iter().map(as_floats).collect(),
        Value::Object(map) => map.into_iter().map(|(name, item)| (name, as_floats(item))).collect(),
        other => other,
    }
}

#[test]
fn there_is_an_example_for_every_message_and_no_other() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/wire");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    let mut known: Vec<&str> = HOST.into_iter().chain(WORKER).collect();
    found.sort();
    known.sort_unstable();
    assert_eq!(found, known);
}

#[test]
fn unknown_fields_are_ignored_and_unknown_types_are_named() {
    let mut pong = example("pong");
    pong["colour"] = "blue".into();
    let decode = |header: &Value| {
        WorkerMessage::decode(Frame { header: header.to_string().into(), blobs: Vec::new() })
    };
    assert!(matches!(decode(&pong), Ok(WorkerMessage::Pong(_))));
    let unknown = decode(&serde_json::json!({"type": "sing", "id": 3}));
    assert_eq!(unknown, Err(Unreadable::UnknownType("sing".to_owned())));
    for bad in
        ["{}", "[]", "3", "{\"type\": 7}", "{\"type\": \"result\"}", "{\"type\": \"result\", \"id\": -1}"]
    {
        let bad: Value = serde_json::from_str(bad).unwrap();
        assert!(matches!(decode(&bad), Err(Unreadable::Malformed(_))), "{bad}");
    }
}

#[test]
fn a_version_mismatch_says_which_side_to_upgrade() {
    let host = Protocol { min: 1, max: 1 };
    let check = |min, max| host.check(Protocol { min, max });
    assert_eq!(check(1, 3), Ok(1));
    let sentence = "worker speaks protocol 2 to 3, this host speaks 1: upgrade the host";
    assert_eq!(check(2, 3), Err(sentence.to_owned()));
    let sentence = "worker speaks protocol 0, this host speaks 1: upgrade the worker";
    assert_eq!(check(0, 0), Err(sentence.to_owned()));
}

#[test]
fn a_value_that_cannot_be_carried_fails_its_call_and_not_the_connection() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for bad in [deep.as_str(), "{\"$blob\": 0}", "\"\\ud800\"", "1e999"] {
        let header =
            format!("{{\"type\":\"result\",\"id\":1,\"result\":{bad},\"execution_time_ms\":1,\"items\":0}}");
        let decoded = WorkerMessage::decode(Frame { header: header.into(), blobs: Vec::new() });
        let Ok(WorkerMessage::Result(result)) = decoded else { panic!("{bad}: {decoded:?}") };
        assert!(result.result.is_err(), "{bad}: {:?}", result.result);
    }
}

#[test]
fn half_a_message_is_not_a_message() {
    let frame =
        WorkerMessage::decode(Frame { header: example("pong").to_string().into(), blobs: Vec::new() });
    let bytes = frame.unwrap().encode().unwrap().bytes;
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(&bytes[..bytes.len() - 1]);
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.is_mid_frame());
    decoder.buffer().extend_from_slice(&bytes[bytes.len() - 1..]);
    assert!(decoder.next_frame().unwrap().is_some());
}
