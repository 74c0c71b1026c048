//! What a warm call does not do: it opens nothing, in the host or in the worker. And nobody polls for an end.

use crate::jobs::submit;
use crate::support::{Cli, Closed, PATIENCE, Server, Serving, connect};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

/// One connection over which one request after the other is made.
struct Kept {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Kept {
    fn to(server: &Server) -> Self {
        Self { stream: BufReader::new(connect(server)), token: server.token() }
    }

    fn ask(&mut self, plugin: &str, tool: &str, args: &Value) {
        let body = json!({"args": args}).to_string();
        let request = format!(
            "POST /v1/plugins/{plugin}/tools/{tool}/run HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// The status and the body of the next answer.
    fn answer(&mut self) -> (u16, Value) {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
        let mut length = 0;
        loop {
            let mut field = String::new();
            self.stream.read_line(&mut field).unwrap();
            if field.trim().is_empty() {
                break;
            }
            let (name, value) = field.split_once(':').unwrap();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[track_caller]
    fn runs(&mut self, plugin: &str, tool: &str, args: &Value) -> Value {
        self.ask(plugin, tool, args);
        let (status, answer) = self.answer();
        assert_eq!(status, 200, "{plugin}.{tool}: {answer}");
        answer["result"].clone()
    }

    /// Whether nothing has come yet.
    fn is_unanswered(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).unwrap();
        let looked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

#[test]
fn a_warm_call_opens_no_descriptor_in_the_host_or_its_worker() {
    let server = Server::with(&["well", "cjm-duck", "forgesyte-plain"]);
    let calls = [
        ("well", "echo", json!({"text": "a"})),
        ("well", "async_sleep", json!({"seconds": 0})),
        ("cjm-duck", "execute", json!({"a": 1})),
        ("reporter", "report", json!({"device": "cpu"})),
    ];
    let pids = ["well", "cjm-duck", "reporter"]
        .map(|plugin| server.wait_for(plugin, "INITIALIZED")["pid"].as_u64().unwrap());
    let mut kept = Kept::to(&server);
    for _ in 0..3 {
        for (plugin, tool, args) in &calls {
            kept.runs(plugin, tool, args);
        }
    }
    let host = Closed::to_new_descriptors(server.pid().into());
    let workers = pids.map(Closed::to_new_descriptors);
    for _ in 0..100 {
        for (plugin, tool, args) in &calls {
            kept.runs(plugin, tool, args);
        }
    }
    // What does open something cannot, so that the calls before have shown something: a connection is not taken,
    let mut late = Kept::to(&server);
    late.ask("well", "echo", &json!({"text": "late"}));
    wait_until("it is told that no connection can be taken", PATIENCE, || {
        server.log().contains("a connection could not be taken")
    });
    assert!(late.is_unanswered());
    // and a large result is not made, of which the plugin lives on.
    let large = json!({"n_bytes": 1 << 20});
    kept.ask("well", "big", &large);
    let (status, refused) = kept.answer();
    assert!(status >= 500 && refused.to_string().contains("Too many open files"), "{status} {refused}");
    kept.runs("well", "echo", &json!({"text": "b"}));
    drop((host, workers));
    assert_eq!(late.answer().0, 200);
    kept.runs("well", "big", &large);
    assert_eq!(server.health("well")["pid"], json!(pids[0]), "it is the worker of the beginning");
    server.stop();
}

/// The sum of all figures of this name, those about `/metrics` itself left out.
fn figure(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").text;
    let lines = text.lines().filter(|line| line.starts_with(name) && !line.contains("/metrics"));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[test]
fn whoever_waits_for_a_job_asks_once_and_the_store_is_asked_at_its_end_only() {
    const WAITERS: u64 = 20;
    let server = Serving::of(&["well"]).config("jobs: {snapshot_seconds: 0.2}").start();
    server.wait_for("well", "INITIALIZED");
    let requests = || figure(&server, "hardpoint_http_requests_total");
    let reads = || figure(&server, "hardpoint_store_reads_total");
    let job = submit(&server, "nap", &json!({"seconds": 3}), &json!({}));
    let (asked, read) = (requests(), reads());
    std::thread::scope(|scope| {
        for _ in 0..WAITERS {
            scope.spawn(|| {
                let over = server.post(&format!("/v1/jobs/{job}/wait?timeout_seconds=60"), None);
                assert_eq!(over.json()["status"], "completed", "{}", over.text);
            });
        }
    });
    let read = reads() - read;
    assert_eq!(requests() - asked, WAITERS);
    // Each of them reads the job, what has happened since, and the job when it is over. Besides, old events are looked
    // for every other second.
    assert!((2 * WAITERS..=3 * WAITERS + 10).contains(&read), "{WAITERS} waiters read {read} times");
    // The command line asks as often for a job of two seconds as for one that is over at once.
    let asks = |seconds: f64| {
        let job = submit(&server, "nap", &json!({"seconds": seconds}), &json!({}));
        let before = requests();
        let token = server.token();
        let mut cli = Cli::new(&["job", "wait", &job, "--server", server.url()]);
        cli.command.env("HARDPOINT_TOKEN", token);
        let waited = cli.run();
        assert_eq!(waited.code, 0, "{}", waited.stderr);
        requests() - before
    };
    let (short, long) = (asks(0.5), asks(2.0));
    assert!(short == long && long <= 5, "{short} requests, {long} for the longer job");
    server.stop();
}
