//! Events over a `WebSocket`: the same as on the other streams, who may open one, and how each ends.

use crate::jobs::{cancel, events, submit, until};
use crate::support::{Said, Server, Serving, Socket, connect, next, opened, to_the_end};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read as _, Write as _};
use tungstenite::Message;

/// A server with a job that is over.
fn with_a_job() -> (Server, String) {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let id = submit(&server, "progress", &json!({"n": 5}), &json!({}));
    until(&server, &id, "completed");
    (server, id)
}

fn document(socket: &mut Socket) -> Value {
    match next(socket) {
        Said::Document(document) => document,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_websocket_brings_what_the_other_streams_bring_and_ends_with_its_job() {
    let (server, id) = with_a_job();
    let all = events(&server, None, 0);
    let kept = to_the_end(&mut server.socket("/v1/events?follow=false"));
    assert_eq!(kept, (all.clone(), 1000, "there is nothing more".to_owned()));
    let (of_job, code, _) = to_the_end(&mut server.socket(&format!("/v1/jobs/{id}/events?since=1")));
    assert_eq!((&of_job[..], code), (&all[1..], 1000));
    let (chosen, ..) = to_the_end(&mut server.socket("/v1/events?follow=false&type=PROGRESS_CHANGED"));
    assert!(chosen.iter().all(|event| event["type"] == "PROGRESS_CHANGED") && !chosen.is_empty());
    let fields = [("authorization", &*format!("Bearer {}", server.token())), ("last-event-id", "2")];
    let mut socket = opened(&server, connect(&server), "/v1/events?since=0", &fields).unwrap();
    assert_eq!(document(&mut socket), all[2], "what was seen last overrules the query");
    // What happens comes as it happens, and the stream of a job ends when the job does.
    let napping = submit(&server, "nap", &json!({"seconds": 600}), &json!({}));
    let mut live = server.socket(&format!("/v1/jobs/{napping}/events"));
    assert_eq!(document(&mut live)["payload"], json!({"from": null, "to": "pending"}));
    until(&server, &napping, "running");
    cancel(&server, &napping);
    let (rest, code, _) = to_the_end(&mut live);
    assert_eq!((&rest.last().unwrap()["payload"]["to"], code), (&json!("cancelled"), 1000));
    server.stop();
}

#[test]
fn a_page_names_its_token_as_a_subprotocol_and_never_in_the_address() {
    let (server, _) = with_a_job();
    let token = server.token();
    let path = "/v1/events?follow=false";
    let open = |fields: &[(&'static str, &str)]| opened(&server, connect(&server), path, fields);
    let protocols = format!("hardpoint, bearer.{token}");
    let mut socket = open(&[("sec-websocket-protocol", &protocols)]).unwrap();
    assert_eq!(to_the_end(&mut socket).1, 1000);
    let refused = |fields: &[(&'static str, &str)]| {
        let Err((status, problem)) = open(fields) else { panic!("it was opened") };
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused(&[]), (401, "token_missing".to_owned()));
    let wrong = "hardpoint, bearer.hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(refused(&[("sec-websocket-protocol", wrong)]), (401, "token_unknown".to_owned()));
    let both = [("authorization", "Bearer x"), ("sec-websocket-protocol", &*protocols)];
    assert_eq!(refused(&both), (401, "token_unknown".to_owned()));
    let foreign = [("origin", "https://evil.example"), ("sec-websocket-protocol", &*protocols)];
    assert_eq!(refused(&foreign), (403, "origin_not_allowed".to_owned()));
    let renamed = [("host", "evil.example"), ("sec-websocket-protocol", &*protocols)];
    assert_eq!(refused(&renamed), (421, "host_not_allowed".to_owned()));
    let in_address = opened(&server, connect(&server), &format!("{path}&token={token}"), &[]);
    assert_eq!(in_address.err().map(|refused| refused.0), Some(401));
    // Only a WebSocket may be asked for like this.
    let plain = server.client().get(format!("{}{path}", server.url()));
    let plain = crate::support::reply(plain.header("sec-websocket-protocol", protocols));
    assert_eq!(plain.json()["code"], "token_missing");
    assert!(!server.log().contains(&token), "a secret is in the log");
    server.stop();
}

#[test]
fn what_is_wrong_with_the_question_is_told_on_the_socket() {
    let (server, _) = with_a_job();
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (path, code) in [
        ("/v1/events?since=-1", "bad_query"),
        ("/v1/events?type=progress", "bad_query"),
        ("/v1/events?nothing=1", "bad_query"),
        (&format!("/v1/jobs/{nobody}/events"), "unknown_job"),
        ("/v1/jobs/17/events", "bad_job_id"),
    ] {
        let (told, close, reason) = to_the_end(&mut server.socket(path));
        assert_eq!((told.len(), close, reason.as_str()), (1, 1008, code), "{path}: {told:#?}");
        assert_eq!(told[0]["code"], code);
    }
    let version = [("authorization", &*format!("Bearer {}", server.token())), ("sec-websocket-version", "8")];
    let (status, problem) = opened(&server, connect(&server), "/v1/events", &version).err().unwrap();
    assert_eq!((status, &problem["code"]), (422, &json!("bad_header")), "{problem:#}");
    server.stop();
}

#[test]
fn whoever_sends_something_is_told_that_nothing_is_taken() {
    let (server, _) = with_a_job();
    let after = |message: Message| {
        let mut socket = server.socket("/v1/events");
        socket.send(message).unwrap();
        let (_, code, _) = to_the_end(&mut socket);
        code
    };
    assert_eq!(after(Message::text("subscribe")), 1003);
    assert_eq!(after(Message::binary(vec![0; 16])), 1003);
    assert_eq!(after(Message::binary(vec![0; 5000])), 1002, "too large");
    let mut socket = server.socket("/v1/events?since=9007199254740991");
    socket.send(Message::Ping(b"x".to_vec().into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(b"x".to_vec().into()));
    socket.close(None).unwrap();
    assert!(matches!(socket.read(), Ok(Message::Close(_))), "it is answered");
    // Not even frames: the connection is given up, and the server goes on.
    let mut socket = server.socket("/v1/events");
    socket.get_mut().write_all(&[0xff; 64]).unwrap();
    let mut rest = Vec::new();
    let ended = socket.get_mut().read_to_end(&mut rest);
    assert!(ended.is_ok() || ended.unwrap_err().kind() == ErrorKind::ConnectionReset);
    server.stop();
}

#[test]
fn a_server_that_stops_says_so_on_its_sockets_and_the_next_one_goes_on() {
    let serving = Serving::of(&["well"]).config("stop: {drain_seconds: 0.5}\n");
    let server = serving.start();
    server.wait_for("well", "INITIALIZED");
    submit(&server, "nap", &json!({"seconds": 600}), &json!({}));
    let mut socket = server.socket("/v1/events");
    let (first, second) = (document(&mut socket), document(&mut socket));
    assert_eq!((&first["number"], &second["number"]), (&json!(1), &json!(2)));
    let serving = server.stopped();
    let (_, code, reason) = to_the_end(&mut socket);
    assert_eq!((code, reason.as_str()), (1012, "the host is stopping: go on with since=2"));
    let server = serving.start();
    let mut socket = server.socket("/v1/events?since=2");
    assert_eq!(document(&mut socket)["number"], 3);
    server.killed();
}
