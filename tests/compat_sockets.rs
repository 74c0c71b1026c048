//! The two `WebSocket`s of other hosts: frames that are looked at as they come, and the progress of one job.

use crate::access::new_token;
use crate::compat_jobs::{id, image, media, until, video};
use crate::support::{PATIENCE, Said, Server, Socket, connect, next, opened, to_the_end};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use tungstenite::Message;

fn document(socket: &mut Socket) -> Value {
    match next(socket) {
        Said::Document(document) => document,
        other => panic!("{other:?}"),
    }
}

/// A stream after its first message.
fn stream(server: &Server, plugin: &str) -> Socket {
    let mut socket = server.socket(&format!("/v1/stream?plugin={plugin}"));
    let hello = document(&mut socket);
    assert_eq!((&hello["type"], &hello["payload"]["plugin"]), (&json!("connected"), &json!(plugin)));
    assert_eq!(hello["payload"]["client_id"].as_str().unwrap().len(), 36);
    socket
}

fn send(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

fn frame(socket: &mut Socket, id: &str, tools: &Value) -> Value {
    send(socket, &json!({"type": "frame", "frame_id": id, "image_data": "AAEC", "tools": tools}));
    document(socket)
}

/// An error, and what is said of it in both places.
#[track_caller]
fn error(answer: &Value, text: &str) {
    assert_eq!(answer["type"], "error", "{answer:#}");
    assert!(answer["message"].as_str().unwrap().starts_with(text), "{answer:#}");
    assert_eq!(answer["payload"]["error"], answer["message"], "{answer:#}");
    assert_eq!(answer["payload"]["frame_id"], answer["frame_id"], "{answer:#}");
}

#[test]
fn frames_are_answered_in_order_with_what_each_tool_saw() {
    let server = media();
    let mut socket = stream(&server, "media");
    let answer = frame(&mut socket, "f1", &json!(["detect", "detect_fine"]));
    let payload = &answer["payload"];
    assert_eq!(
        (&answer["type"], &payload["frame_id"], &payload["error"]),
        (&json!("result"), &json!("f1"), &Value::Null)
    );
    assert_eq!(payload["result"]["tool_order"], json!(["detect", "detect_fine"]));
    let seen = &payload["result"]["tools"]["detect"];
    assert_eq!(seen["kinds"], json!({"image_bytes": "bytes", "options": "dict"}));
    assert_eq!((&seen["size"], &seen["options"]), (&json!(3), &json!({})));
    assert!(payload["processing_time_ms"].is_f64() && answer["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(payload.get("errors"), None);
    // Many at once, one without a name, and a ping between them.
    for number in 0..40 {
        let options = json!({"n": number});
        send(
            &mut socket,
            &json!({"type": "frame", "frame_id": number.to_string(), "data": "AAEC", "tools": ["detect"], "options": options}),
        );
    }
    send(&mut socket, &json!({"type": "what nobody knows"}));
    for number in 0..40 {
        let answer = document(&mut socket);
        assert_eq!(answer["payload"]["frame_id"], number.to_string(), "{answer:#}");
        assert_eq!(answer["payload"]["result"]["tools"]["detect"]["options"], json!({"n": number}));
    }
    send(&mut socket, &json!({"type": "ping"}));
    assert_eq!(document(&mut socket), json!({"type": "pong", "payload": {}}));
    send(&mut socket, &json!({"type": "frame", "data": "AAEC", "tools": ["detect"]}));
    assert_eq!(document(&mut socket)["payload"]["frame_id"].as_str().unwrap().len(), 36);
    assert_eq!(server.health("media")["success_count"], 43);
    server.stop();
}

#[test]
fn one_tool_that_fails_leaves_the_others_their_results() {
    let server = media();
    let mut socket = stream(&server, "media");
    let answer = frame(&mut socket, "f", &json!(["refuse", "detect"]));
    let payload = &answer["payload"];
    assert_eq!(answer["type"], "result", "{answer:#}");
    assert_eq!(payload["error"], "refuse: there is nothing to be seen");
    assert_eq!(payload["result"]["tools"]["detect"]["size"], 3);
    let why = json!({"refuse": {"error": "there is nothing to be seen", "error_type": "ValueError"}});
    assert_eq!(payload["result"]["errors"], why);
    error(&frame(&mut socket, "g", &json!(["refuse"])), "Analysis failed: refuse: there is nothing");
    server.stop();
}

#[test]
fn whatever_a_client_sends_is_answered_and_the_stream_stays_open() {
    let server = media();
    let mut socket = stream(&server, "default");
    error(&frame(&mut socket, "a", &json!(["detect"])), "Invalid frame data: Plugin 'default' not found");
    send(&mut socket, &json!({"type": "switch_plugin", "plugin": "nobody"}));
    error(&document(&mut socket), "Plugin 'nobody' not found");
    send(&mut socket, &json!({"type": "switch_plugin", "plugin": "media"}));
    assert_eq!(document(&mut socket), json!({"type": "plugin_switched", "payload": {"plugin": "media"}}));
    for text in ["no json", "[]", "\"frame\""] {
        socket.send(Message::text(text)).unwrap();
        error(&document(&mut socket), "Invalid frame data: ");
    }
    for (message, text) in [
        (json!({"data": "AAEC"}), "missing 'tools' field"),
        (json!({"tools": ["detect"]}), "missing 'image_data'"),
        (json!({"tools": [], "data": "AAEC"}), "'tools' must name"),
        (json!({"tools": ["nothing"], "data": "AAEC"}), "Tool 'nothing' not found"),
        (json!({"tools": ["detect"], "data": "!!!"}), "the image is not valid base64"),
        (json!({"tools": ["detect"], "data": "http://127.0.0.1/a.png"}), "images are not fetched"),
    ] {
        let mut message = message;
        message["type"] = json!("frame");
        send(&mut socket, &message);
        error(&document(&mut socket), &format!("Invalid frame data: {text}"));
    }
    // A worker that dies is an error, and when it is there again the same stream goes on.
    error(&frame(&mut socket, "d", &json!(["die"])), "Analysis failed: die: ");
    error(&frame(&mut socket, "e", &json!(["detect"])), "Analysis failed: detect: Plugin is FAILED");
    assert_eq!(server.post("/v1/plugins/media/reload", None).json()["status"], "reloaded");
    assert_eq!(frame(&mut socket, "f", &json!(["detect"]))["type"], "result");
    server.stop();
}

#[test]
fn a_slow_tool_delays_only_the_client_that_asked_for_it() {
    let server = Server::with(&["forgesyte-media", "well"]);
    server.wait_for("media", "INITIALIZED");
    server.wait_for("well", "INITIALIZED");
    let until = server.here().join("go");
    let hold = |id: &str| json!({"type": "frame", "frame_id": id, "data": "AAEC", "tools": ["hold"], "options": {"until": until}});
    let mut slow = stream(&server, "media");
    send(&mut slow, &hold("slow"));
    server.wait_for("media", "RUNNING");
    let mut quick = stream(&server, "well");
    assert_eq!(frame(&mut quick, "q", &json!(["echo_bytes"]))["type"], "result");
    error(&frame(&mut quick, "n", &json!(["nap"])), "Analysis failed: nap: ");
    // Only its frames wait.
    send(&mut slow, &json!({"type": "ping"}));
    assert_eq!(document(&mut slow)["type"], "pong");
    fs::write(&until, "").unwrap();
    let answer = document(&mut slow);
    assert_eq!(answer["payload"]["result"]["tools"]["hold"], json!({"held": true}), "{answer:#}");
    // A client that goes away cancels the call.
    fs::remove_file(&until).unwrap();
    let pid = server.health("media")["pid"].clone();
    send(&mut slow, &hold("gone"));
    server.wait_for("media", "RUNNING");
    drop(slow);
    assert_eq!(server.wait_for("media", "INITIALIZED")["pid"], pid);
    server.stop();
}

#[test]
fn the_progress_of_a_job_is_told_in_frames_and_then_how_it_ended() {
    let server = media();
    let job = id(&video(&server, "plugin_id=media&tool=track&tool=wait"));
    let mut socket = server.socket(&format!("/v1/ws/jobs/{job}"));
    send(&mut socket, &json!({"type": "ping"}));
    let (mut told, mut pongs) = (Value::Null, 0);
    while told["current_tool"] != "wait" {
        told = document(&mut socket);
        pongs += usize::from(told == json!({"type": "pong"}));
    }
    let expected = json!({"job_id": job, "current_frame": 1, "total_frames": 4, "percent": 25.0,
        "current_tool": "wait", "tools_total": 2, "tools_completed": 1});
    assert_eq!(told, expected);
    let stages = server.get(&format!("/v1/jobs/{job}")).json()["stages"].clone();
    let path = stages[0]["args"]["video_path"].as_str().unwrap().to_owned();
    fs::write(format!("{path}.go"), "").unwrap();
    let (rest, code, _) = to_the_end(&mut socket);
    pongs += rest.iter().filter(|one| **one == json!({"type": "pong"})).count();
    assert_eq!(
        (rest.last().unwrap(), code, pongs),
        (&json!({"job_id": job, "status": "completed"}), 1000, 1)
    );
    // Whoever comes late is told the end at once.
    let (late, code, _) = to_the_end(&mut server.socket(&format!("/v1/ws/jobs/{job}")));
    assert_eq!((late, code), (vec![json!({"job_id": job, "status": "completed"})], 1000));
    let failed = id(&image(&server, "plugin_id=media&tool=refuse"));
    until(&server, &failed, "failed");
    let (told, _, _) = to_the_end(&mut server.socket(&format!("/v1/ws/jobs/{failed}")));
    assert_eq!(told, [json!({"job_id": failed, "status": "failed", "error": "there is nothing to be seen"})]);
    let (told, code, _) = to_the_end(&mut server.socket("/v1/ws/jobs/01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11"));
    assert_eq!((&told[0]["code"], code), (&json!("unknown_job"), 1008));
    server.stop();
}

#[test]
fn the_sockets_take_a_token_in_their_address_and_need_one() {
    let server = media();
    let job = id(&image(&server, "plugin_id=media&tool=detect"));
    let reader = new_token(&server.data(), "reader", "read");
    let open = |path: &str, key: &str| {
        let sign = if path.contains('?') { '&' } else { '?' };
        opened(&server, connect(&server), &format!("{path}{sign}api_key={key}"), &[])
    };
    let progress = format!("/v1/ws/jobs/{job}");
    wait_until("the token is known", PATIENCE, || open(&progress, &reader).is_ok());
    let status = |path: &str, key: &str| open(path, key).err().map(|(status, _)| status);
    for path in ["/v1/stream?plugin=media", progress.as_str()] {
        assert_eq!(status(path, &server.token()), None, "{path}");
        assert_eq!(status(path, "x"), Some(401), "{path}");
        assert_eq!(opened(&server, connect(&server), path, &[]).err().map(|(status, _)| status), Some(401));
        assert_eq!(server.send(Method::GET, path, None).status, 426, "{path}");
    }
    assert_eq!(status("/v1/stream?plugin=media", &reader), Some(403));
    assert_eq!(status("/v1/events", &server.token()), Some(401), "no other socket does");
    assert!(!server.log().contains(&server.token()), "a secret is in the log");
    server.stop();
}
