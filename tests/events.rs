//! Events as clients follow them: what is kept, who is cut off, and that nothing is missing or comes twice.

use crate::http_streams::resident;
use crate::jobs::{cancel, events, hand_in, submit, until};
use crate::support::{Cli, PATIENCE, Said, Server, Serving, connect, next, opened, reply, request_socket};
use hardpoint_testkit::{soon, wait_until};
use rustix::net;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The lines of a stream of events that ends by itself.
fn lines(server: &Server, path: &str) -> Vec<Value> {
    let request = server.client().get(format!("{}{path}", server.url())).bearer_auth(server.token());
    let reply = reply(request.header("accept", "application/x-ndjson"));
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(event: &Value) -> u64 {
    event["number"].as_u64().unwrap_or_else(|| panic!("{event:#} has no number"))
}

#[test]
fn old_events_go_except_those_of_jobs_that_are_alive_and_a_late_reader_is_told_first() {
    let server = Serving::of(&["well"]).config("events: {max_count: 20}").start();
    server.wait_for("well", "INITIALIZED");
    let blocker = submit(&server, "nap", &json!({"seconds": 600}), &json!({}));
    let waits = submit(&server, "echo", &json!({"text": "a"}), &json!({"priority": -1}));
    until(&server, &blocker, "running");
    let text = |n: u32| json!({"text": n.to_string()});
    let over: Vec<String> = (0..30).map(|n| submit(&server, "echo", &text(n), &json!({}))).collect();
    for id in &over {
        cancel(&server, id);
    }
    let last = number(events(&server, None, 0).last().unwrap());
    let mut told = Vec::new();
    let went = soon(PATIENCE, || {
        told = lines(&server, "/v1/events?follow=false");
        told[0]["payload"]["first_kept"] == last - 19
    });
    assert!(went, "{told:#?}");
    let (old, kept) = told[1..].split_at(told.len() - 21);
    assert!(old.iter().all(|event| event["job_id"] == *blocker || event["job_id"] == *waits), "{old:#?}");
    let dropped = json!({"type": "EVENTS_DROPPED",
        "payload": {"first_kept": last - 19, "count": last - 20 - old.len() as u64}});
    assert_eq!(told[0], dropped);
    assert_eq!(kept.iter().map(number).collect::<Vec<_>>(), (last - 19..=last).collect::<Vec<_>>());
    let since = |number: u64| lines(&server, &format!("/v1/events?follow=false&since={number}"));
    assert_eq!(since(last - 20), kept, "nothing of it is missing");
    assert_eq!(since(last - 21)[0]["payload"], json!({"first_kept": last - 19, "count": 1}));
    let whole = lines(&server, &format!("/v1/jobs/{waits}/events?follow=false"));
    assert_eq!(
        whole[0]["payload"],
        json!({"from": null, "to": "pending"}),
        "a job that is alive lacks nothing"
    );
    let both = lines(&server, &format!("/v1/events?follow=false&job={},{waits}", over[0]));
    assert_eq!((&both[0], &both[1]), (&dropped, &whole[0]), "one of the two lacks something");
    let request = server.client().get(format!("{}/v1/events?follow=false&since=99", server.url()));
    let sse = reply(request.header("last-event-id", "0").bearer_auth(server.token()));
    let parts: Vec<&str> = sse.text.lines().take(4).collect();
    assert_eq!((parts[0], parts[2]), ("event: EVENTS_DROPPED", ""), "{parts:?}");
    assert_eq!(serde_json::from_str::<Value>(parts[1].strip_prefix("data: ").unwrap()).unwrap(), dropped);
    assert!(parts[3].starts_with("id: "), "{parts:?}");
    // The next server has the same, and lets the others go once their jobs are over.
    let server = server.killed().start();
    cancel(&server, &blocker);
    until(&server, &waits, "completed");
    wait_until("the first events are gone once their jobs are over", PATIENCE, || {
        number(&lines(&server, "/v1/events?follow=false")[1]) > last - 20
    });
    let mut cli = Cli::new(&["db", "check", "--json"]);
    cli.command.env("HARDPOINT_DATA_DIR", server.data());
    let report = cli.run().json();
    assert_eq!(report["ok"], true, "{report:#}");
    server.stop();
}

/// A connection whose own side takes no more than a few kilobytes without reading.
fn narrow(server: &Server) -> TcpStream {
    let address: SocketAddr = server.url().strip_prefix("http://").unwrap().parse().unwrap();
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
    net::sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
    net::connect(&socket, &address).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// How many jobs are not over.
fn unfinished(server: &Server) -> u64 {
    server.get("/v1/jobs?status=pending,running").json()["count"].as_u64().unwrap()
}

/// A figure of `/metrics`.
pub(crate) fn figure(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

#[test]
fn whoever_takes_nothing_is_dropped_and_counted_and_misses_nothing_when_it_comes_back() {
    let server = Serving::of(&["loud"]).start();
    server.wait_for("loud", "INITIALIZED");
    let before = resident(server.pid());
    let mut lines = narrow(&server);
    ask_events(&server, &mut lines, 0).unwrap();
    let bearer = format!("Bearer {}", server.token());
    let mut socket = opened(&server, narrow(&server), "/v1/events", &[("authorization", &bearer)]).unwrap();
    wait_until("both follow", PATIENCE, || figure(&server, "hardpoint_event_followers") == 2);
    // More than the buffers of the kernel take: what is sent then is not taken for too long.
    let jobs: Vec<String> = (0..8)
        .map(|_| {
            let reply = hand_in(&server, "loud", "talk", &json!({"n_bytes": 20_000}), &json!({}));
            reply.json()["job_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let dropped = "hardpoint_event_followers_dropped_total";
    let were = soon(PATIENCE * 2, || figure(&server, dropped) == 2);
    assert!(were, "{} dropped\n{}", figure(&server, dropped), server.log());
    assert_eq!(figure(&server, "hardpoint_event_followers"), 0);
    let log = server.log();
    let told = log.lines().filter(|line| line.contains("was dropped") && line.contains("behind="));
    assert_eq!(told.count(), 2, "{log}");
    let grew = resident(server.pid()).saturating_sub(before) >> 20;
    assert!(grew < 100, "{grew} MiB for two who took nothing");
    for id in &jobs {
        cancel(&server, id);
    }
    wait_until("nothing runs any more", PATIENCE, || unfinished(&server) == 0);
    // What was on its way to them is all that they have; they go on after it.
    let mut rest = Vec::new();
    let _ = lines.read_to_end(&mut rest);
    let mut seen = sse(&rest);
    let mut of_socket = Vec::new();
    while let Said::Document(event) = next(&mut socket) {
        of_socket.push(event);
    }
    let all = events(&server, None, 0);
    for seen in [&mut seen, &mut of_socket] {
        assert!(!seen.is_empty());
        let rest = events(&server, None, number(seen.last().unwrap()));
        assert!(rest.len() > 10, "only {} were not on their way", rest.len());
        seen.extend(rest);
        assert!(*seen == all, "somebody who was never away sees something else");
    }
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (1..=all.len() as u64).collect::<Vec<_>>());
    server.stop();
}

/// Asks for server-sent events after a number.
fn ask_events(server: &Server, stream: &mut impl Write, last: u64) -> io::Result<()> {
    let (host, token) = (server.url().strip_prefix("http://").unwrap(), server.token());
    let ask = format!(
        "GET /v1/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nlast-event-id: {last}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes())
}

/// The server-sent events among the bytes of an answer; a last one without its end is none.
fn sse(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(bytes);
    let (mut events, mut data) = (Vec::new(), None);
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        match line.strip_prefix("data: ") {
            Some(rest) => data = Some(rest.trim_end().to_owned()),
            None if line == "\n" => {
                events.extend(data.take().map(|data| serde_json::from_str::<Value>(&data).unwrap()));
            }
            None => {}
        }
    }
    events
}

/// A connection that breaks after so many bytes were read.
struct Cut {
    stream: TcpStream,
    left: usize,
}

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left);
        if most == 0 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let count = self.stream.read(&mut buffer[..most])?;
        self.left -= count;
        Ok(count)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Follows once from where it was, as server-sent events or over a WebSocket, until the connection is cut after so many
/// bytes or nothing comes for a moment.
fn follow_until_cut(server: &Server, seen: &mut Vec<Value>, bytes: usize, by_socket: bool) {
    let last = seen.last().map_or(0, number);
    let stream = connect(server);
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut cut = Cut { stream, left: bytes };
    if by_socket {
        let path = format!("/v1/events?since={last}");
        let request =
            request_socket(server, &path, &[("authorization", &format!("Bearer {}", server.token()))]);
        let Ok((mut socket, _)) = tungstenite::client(request, cut) else { return };
        while let Said::Document(event) = next(&mut socket) {
            seen.push(event);
        }
    } else {
        let mut got = Vec::new();
        if ask_events(server, &mut cut, last).is_ok() {
            let _ = cut.read_to_end(&mut got);
        }
        seen.extend(sse(&got));
    }
}

/// Hands in jobs, a few at a time, while `go_on` says so.
fn keep_busy(server: &Server, go_on: impl Fn() -> bool) {
    while go_on() {
        let ids: Vec<String> =
            (0..4).map(|_| submit(server, "progress", &json!({"n": 3}), &json!({}))).collect();
        for id in &ids {
            until(server, id, "completed");
        }
    }
}

#[test]
fn a_client_that_is_cut_off_two_hundred_times_sees_what_one_sees_that_never_was() {
    let chosen = std::env::var("HARDPOINT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let chance: u64 = chosen.unwrap_or_else(|| u64::from(std::process::id()) * 0x9e37_79b9 + 1);
    println!("HARDPOINT_TEST_SEED={chance}");
    let mut state = chance;
    let mut bytes = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % 4000
    };
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let mut seen: Vec<Value> = Vec::new();
    let stays = Mutex::new(Vec::new());
    let (done, mut staying) = (AtomicBool::new(false), server.socket("/v1/events"));
    let staying_ends = staying.get_ref().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| keep_busy(&server, || !done.load(Ordering::Relaxed)));
        scope.spawn(|| {
            while let Said::Document(event) = next(&mut staying) {
                stays.lock().unwrap().push(event);
            }
        });
        for round in 0..200 {
            follow_until_cut(&server, &mut seen, bytes(), round % 2 == 0);
        }
        done.store(true, Ordering::Relaxed);
        wait_until("nothing runs any more", PATIENCE, || unfinished(&server) == 0);
        follow_until_cut(&server, &mut seen, usize::MAX, true);
        let last = number(seen.last().unwrap());
        wait_until("it saw the last one", PATIENCE, || {
            stays.lock().unwrap().last().map(number) == Some(last)
        });
        // Without a word: the one that stays is cut off now, too.
        staying_ends.shutdown(Shutdown::Both).unwrap();
    });
    assert!(seen.len() > 200, "only {} events", seen.len());
    assert!(seen == *stays.lock().unwrap(), "seed {chance}: they saw different things");
    // A server that is killed in the middle of its work is one more way to be cut off.
    for _ in 0..30 {
        submit(&server, "progress", &json!({"n": 3}), &json!({}));
    }
    follow_until_cut(&server, &mut seen, bytes(), true);
    let server = server.killed().start();
    for round in 0..20 {
        follow_until_cut(&server, &mut seen, bytes(), round % 2 == 0);
    }
    wait_until("nothing runs any more", PATIENCE, || unfinished(&server) == 0);
    follow_until_cut(&server, &mut seen, usize::MAX, false);
    assert!(seen == events(&server, None, 0), "seed {chance}: the next server tells something else");
    assert_eq!(seen.iter().map(number).collect::<Vec<_>>(), (1..=seen.len() as u64).collect::<Vec<_>>());
    server.stop();
}
