//! What plugins say is kept, and each line in the slice of the job that it belongs to, and in no other.

use crate::jobs::hand_in;
use crate::support::{Cli, PATIENCE, Server, Serving, TestHost, request, run_tool, test_plugins};
use hardpoint_model::job::JobId;
use hardpoint_testkit::wait_until;
use hardpoint_wire::JobRef;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The ways on which `talks.talk` says its word.
pub(crate) const WAYS: [&str; 12] = [
    "print",
    "write",
    "stderr",
    "os 1",
    "os 2",
    "child",
    "logging",
    "context",
    "thread",
    "thread logging",
    "thread context",
    "without an end",
];

/// Hands in a job of the talking plugin; its id.
#[track_caller]
pub(crate) fn submit(server: &Server, tool: &str, args: &Value) -> String {
    let reply = hand_in(server, "talks", tool, args, &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

/// Waits until a job is over; the job as it is then.
#[track_caller]
pub(crate) fn over(server: &Server, id: &str) -> Value {
    let job = server.post(&format!("/v1/jobs/{id}/wait?timeout_seconds=60"), None).json();
    assert!(["completed", "failed", "cancelled"].contains(&job["status"].as_str().unwrap()), "{job:#}");
    job
}

#[track_caller]
pub(crate) fn array(server: &Server, path: &str) -> Vec<Value> {
    let reply = server.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.json().as_array().unwrap().clone()
}

#[track_caller]
pub(crate) fn slice(server: &Server, id: &str, query: &str) -> Vec<Value> {
    let lines = array(server, &format!("/v1/jobs/{id}/logs?{query}"));
    assert!(lines.iter().all(|line| line["job_id"] == id), "{lines:#?}");
    assert!(lines.is_sorted_by_key(|line| line["number"].as_u64().unwrap()), "{lines:#?}");
    lines
}

fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["text"].as_str().unwrap()).collect()
}

fn set<'a>(texts: &[&'a str]) -> BTreeSet<&'a str> {
    texts.iter().copied().collect()
}

#[test]
fn each_line_is_in_the_slice_of_the_job_that_said_it_and_in_no_other() {
    let server = Server::with(&["talks"]);
    server.wait_for("talks", "INITIALIZED");
    let done = AtomicBool::new(false);
    let jobs: Vec<(String, String)> = thread::scope(|scope| {
        // Plain calls come in between all the time.
        let plain = scope.spawn(|| {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(run_tool(&server, "talks", "talk", &json!({"word": "plain"})).0, 200);
                calls += 1;
            }
            calls
        });
        let jobs: Vec<_> = (0..20)
            .map(|number| {
                let word = format!("word{number}");
                (submit(&server, "talk", &json!({"word": word})), word)
            })
            .collect();
        for (id, _) in &jobs {
            assert_eq!(over(&server, id)["status"], "completed");
        }
        done.store(true, Ordering::Relaxed);
        assert!(plain.join().unwrap() > 0);
        jobs
    });
    for (id, word) in &jobs {
        let lines = slice(&server, id, "");
        let expected: Vec<String> = WAYS.iter().map(|way| format!("{word} {way}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(set(&texts(&lines)), set(&expected));
        assert_eq!(lines.len(), expected.len(), "a line is there twice: {lines:#?}");
        for line in &lines {
            let of = (&line["plugin"], &line["instance"], &line["incarnation"]);
            assert_eq!(of, (&json!("talks"), &json!("talks"), &json!(1)), "{line:#}");
            assert_eq!((&line["stage"], &line["attempt"]), (&json!(0), &json!(1)), "{line:#}");
        }
        let of_stdout: Vec<&Value> = lines.iter().filter(|line| line["source"] == "stdout").collect();
        assert_eq!(of_stdout.last().unwrap()["text"], format!("{word} without an end"), "in their order");
    }
    let plain = array(&server, "/v1/plugins/talks/logs?lines=1000&contains=plain");
    assert!(plain.len() >= 12 && plain.iter().all(|line| line["job_id"].is_null()), "{plain:#?}");
    server.stop();
}

#[test]
fn what_became_of_a_job_is_in_its_slice_and_its_tries_are_told_apart() {
    let server = Serving::of(&["talks"]).config("restart: {policy: on-failure}\n").start();
    let failed = submit(&server, "fail", &json!({"word": "w"}));
    assert_eq!(over(&server, &failed)["stages"][0]["attempts"], 2);
    for attempt in 1..=2 {
        let lines = slice(&server, &failed, &format!("attempt={attempt}"));
        let texts = texts(&lines);
        assert_eq!(texts[..2], ["w before it failed", "tool `fail` failed: TransientError"], "{texts:#?}");
        assert_eq!(texts[2], "Traceback (most recent call last):");
        assert!(texts.last().unwrap().contains("w is the reason"), "{texts:#?}");
        assert!(lines.iter().all(|line| line["attempt"] == attempt), "{lines:#?}");
    }
    assert_eq!(slice(&server, &failed, "stage=1"), [] as [Value; 0]);
    let died = submit(&server, "die", &json!({"word": "w"}));
    assert_eq!(over(&server, &died)["status"], "failed");
    let lines = slice(&server, &died, "");
    let texts = texts(&lines);
    // What comes on two descriptors has no order but within each.
    assert!(texts.contains(&"w before it died"), "{texts:#?}");
    assert!(
        texts.iter().any(|text| text.starts_with("Fatal Python error: Segmentation fault")),
        "{texts:#?}"
    );
    assert_eq!(texts[texts.len() - 2], "tool `die` failed: WorkerCrashed");
    assert!(texts.last().unwrap().contains("SIGSEGV"), "{texts:#?}");
    wait_until("its next life is in its log", PATIENCE, || {
        let said = array(&server, "/v1/plugins/talks/logs?contains=it+is+ready");
        said.iter().map(|line| &line["incarnation"]).eq([&json!(1), &json!(2)])
    });
    server.stop();
}

#[test]
fn a_job_of_several_stages_has_the_lines_of_all_its_plugins_in_one_order() {
    let serving = Serving::of(&["talks"]);
    // A second plugin of the same code.
    let other = serving.plugins().join("other");
    fs::create_dir(&other).unwrap();
    let manifest = fs::read_to_string(test_plugins().join("talks/hardpoint.toml")).unwrap();
    fs::write(other.join("hardpoint.toml"), manifest.replace("\"talks\"", "\"other\"")).unwrap();
    fs::copy(test_plugins().join("talks/plugin.py"), other.join("plugin.py")).unwrap();
    let server = serving.start();
    let stage = |plugin: &str| json!({"plugin": plugin, "tool": "stage"});
    let stages = ["talks", "other", "talks", "other"].map(stage);
    let body = json!({"pipeline": {"stages": stages}, "input": {"words": ["a", "b", "c", "d"]}});
    let reply = server.post("/v1/jobs", Some(&body));
    assert_eq!(reply.status, 202, "{}", reply.text);
    let id = reply.json()["job_id"].as_str().unwrap().to_owned();
    let followed = asking(&server, &["job", "logs", &id, "--follow", "--json"]).run().stdout;
    assert_eq!(over(&server, &id)["status"], "completed");
    let lines = slice(&server, &id, "");
    // What comes from two workers within a moment may be seen the other way round.
    let mut followed: Vec<Value> = followed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    followed.sort_by_key(|line| line["number"].as_u64());
    assert_eq!(followed, lines);
    for (stage, plugin, word) in [(0, "talks", "a"), (1, "other", "b"), (2, "talks", "c"), (3, "other", "d")]
    {
        let of_stage = slice(&server, &id, &format!("stage={stage}"));
        let expected = [format!("{word} printed"), format!("{word} logged")];
        assert_eq!(set(&texts(&of_stage)), set(&expected.each_ref().map(String::as_str)));
        assert!(of_stage.iter().all(|line| line["plugin"] == plugin), "{of_stage:#?}");
    }
    assert_eq!(lines.len(), 8, "{lines:#?}");
    assert_eq!(slice(&server, &id, "tail=3"), lines[5..]);
    let shown = asking(&server, &["job", "logs", &id]).run().stdout;
    assert!(shown.contains("── stage 2 on other"), "{shown}");
    let shown = asking(&server, &["job", "show", &id]).run().stdout;
    let of_fourth = shown.lines().find(|line| line.trim_start().starts_with("4 ")).unwrap_or_default();
    let words: Vec<&str> = of_fourth.split_whitespace().take(4).collect();
    assert_eq!(words, ["4", "other.stage", "completed", "1"], "{shown}");
    assert!(!shown.contains("{}"), "{shown}");
    // People count from 1.
    let second = asking(&server, &["job", "logs", &id, "--stage", "2", "--json"]).run().json();
    assert_eq!(second, json!(slice(&server, &id, "stage=1")));
    let fifth = asking(&server, &["job", "logs", &id, "--stage", "5"]).run();
    assert_eq!(fifth.code, 2, "{}", fifth.stdout);
    let expected = format!(
        "error: job {id} has no stage 5\nhint: it has 1 (talks.stage), 2 (other.stage), 3 (talks.stage), 4 (other.stage)\n"
    );
    assert_eq!(fifth.stderr, expected);
    server.stop();
}

#[test]
fn lines_are_found_by_their_level_their_text_and_their_number() {
    let server = Server::with(&["talks"]);
    let id = submit(&server, "talk", &json!({"word": "w"}));
    over(&server, &id);
    let all = slice(&server, &id, "");
    for (query, expected) in [
        ("level=error", vec!["w thread logging"]),
        ("level=warning", vec!["w logging", "w thread logging"]),
        ("contains=thread&level=debug", vec!["w thread context", "w thread logging"]),
        ("contains=os+1", vec!["w os 1"]),
        ("contains=nothing", vec![]),
    ] {
        assert_eq!(set(&texts(&slice(&server, &id, query))), set(&expected), "{query}");
    }
    assert_eq!(slice(&server, &id, "tail=3"), all[all.len() - 3..]);
    let logged = slice(&server, &id, "contains=w+logging");
    assert_eq!((&logged[0]["logger"], &logged[0]["source"]), (&json!("talks.deep"), &json!("plugin")));
    let number = all[4]["number"].as_u64().unwrap();
    let after = array(&server, &format!("/v1/plugins/talks/logs?since={number}&lines=3"));
    assert_eq!(after, all[5..8], "the next ones");
    let waiting =
        hand_in(&server, "talks", "until", &json!({"word": "w", "path": "/nowhere"}), &json!({})).json();
    let next = submit(&server, "talk", &json!({"word": "w"}));
    assert_eq!(slice(&server, &next, ""), [] as [Value; 0], "it has not begun");
    server.post(&format!("/v1/jobs/{}/cancel", waiting["job_id"].as_str().unwrap()), None);
    for (path, status, code) in [
        ("/v1/jobs/01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11/logs", 404, "unknown_job"),
        ("/v1/jobs/x/logs", 422, "bad_job_id"),
        (&format!("/v1/jobs/{id}/logs?tail=0"), 422, "bad_query"),
        (&format!("/v1/jobs/{id}/logs?level=loud"), 422, "bad_query"),
    ] {
        let reply = server.get(path);
        assert_eq!((reply.status, &reply.json()["code"]), (status, &json!(code)), "{path}: {}", reply.text);
    }
    over(&server, &next);
    server.stop();
}

/// A command that finds the server by its data folder alone.
fn asking(server: &Server, args: &[&str]) -> Cli {
    let mut cli = Cli::new(args).dir(server.here());
    cli.command.env("HARDPOINT_DATA_DIR", server.data()).env("HARDPOINT_PLUGINS_DIR", "/nowhere");
    cli
}

#[test]
fn whoever_follows_a_job_sees_every_line_once_and_ends_with_it() {
    let server = Server::with(&["talks"]);
    let gate = server.here().join("gate");
    let blocker = submit(&server, "until", &json!({"word": "w", "path": gate}));
    let id = submit(&server, "count", &json!({"word": "line", "lines": 20_000}));
    // One from before the job begins, and one from somewhere in the middle of it.
    let mut early = asking(&server, &["job", "logs", &id, "--follow", "--json"]).start();
    fs::write(&gate, "").unwrap();
    wait_until("it speaks", PATIENCE, || !slice(&server, &id, "tail=1").is_empty());
    let late = asking(&server, &["job", "logs", &id, "--follow", "--json"]).start();
    let of_early = BufReader::new(early.stdout.take().unwrap()).lines();
    let read =
        |line: String| serde_json::from_str::<Value>(&line).unwrap()["text"].as_str().unwrap().to_owned();
    let seen: Vec<String> = of_early.map(|line| read(line.unwrap())).collect();
    let expected: Vec<String> = (0..20_000).map(|line| format!("line {line}")).collect();
    assert!(seen == expected, "{} lines, the last {:?}", seen.len(), seen.last());
    assert_eq!(crate::support::Answer::of(early).code, 0);
    let late = crate::support::Answer::of(late);
    assert_eq!(late.code, 0, "{}", late.stderr);
    let seen: Vec<String> = late.stdout.lines().map(|line| read(line.to_owned())).collect();
    assert!(seen == expected, "{} lines, the last {:?}", seen.len(), seen.last());
    assert_eq!(over(&server, &blocker)["status"], "completed");
    // Of a job that is over there is nothing to wait for.
    let again = asking(&server, &["job", "logs", &id, "--follow", "-n", "2"]).run();
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("line 19998") && again.stdout.contains("line 19999"), "{}", again.stdout);
    assert!(!again.stdout.contains("line 19997"), "{}", again.stdout);
    server.stop();
}

#[test]
fn logs_are_shown_to_people_with_whose_they_are() {
    let server = Serving::of(&["talks"]).config("jobs: {retries_max: 1}\n").start();
    let failed = submit(&server, "fail", &json!({"word": "w"}));
    over(&server, &failed);
    run_tool(&server, "talks", "talk", &json!({"word": "plain"}));
    let shown = asking(&server, &["job", "logs", &failed]).run();
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for word in ["stdout", "w before it failed", "── attempt 2", "host error", "Traceback"] {
        assert!(shown.stdout.contains(word), "`{word}` is not in\n{}", shown.stdout);
    }
    let second =
        asking(&server, &["job", "logs", &failed, "--attempt", "2", "--level", "error", "--json"]).run();
    let second = second.json();
    assert_eq!(second[0]["text"], "tool `fail` failed: TransientError", "{second:#}");
    let shown = asking(&server, &["plugin", "logs", "talks"]).run().stdout;
    for word in [format!("── job {failed}"), "── no job".to_owned(), "plain stderr".to_owned()] {
        assert!(shown.contains(&word), "`{word}` is not in\n{shown}");
    }
    let found = asking(&server, &["plugin", "logs", "talks", "--contains", "os 2"]).run().stdout;
    assert_eq!(found.lines().count(), 1, "{found}");
    for (args, code, word) in [
        (&["job", "logs", "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11"][..], 2, "job list"),
        (&["job", "logs", &failed, "--level", "loud"], 2, "possible values"),
        (&["plugin", "logs", "nobody"], 2, "plugin health"),
    ] {
        let refused = asking(&server, args).run();
        assert_eq!(refused.code, code, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(word), "{args:?}: {}", refused.stderr);
    }
    server.stop();
}

/// A worker in no language of ours: it prints what it is told to, and writes no marks.
const FOREIGN_WORKER: &str = r#"
import json, os, socket, struct, sys

end = socket.socket(fileno=3)

def say(**message):
    data = json.dumps(message).encode()
    end.sendall(struct.pack(">II", len(data), 0) + data)

def on(message):
    kind, number = message["type"], message.get("id")
    if kind == "hello":
        tool = {"name": "say", "input_schema": {"type": "object"}}
        say(type="ready", protocol={"min": 1, "max": 1}, sdk={"name": "foreign", "version": "1"}, pid=os.getpid(),
            plugin={"name": "well", "version": "1.0.0"}, tools=[tool])
    elif kind == "shutdown":
        os._exit(0)
    elif number:
        for word in message.get("args", {}).get("words", []):
            print(word, flush=True)
            say(type="log", id=None, level="info", logger="", message=word + " logged")
        say(type="result", id=number, result=None)

rest = b""
while True:
    rest += end.recv(65536) or os._exit(75)
    while len(rest) >= 8 and len(rest) >= 8 + sum(struct.unpack_from(">II", rest)):
        header, body = struct.unpack_from(">II", rest)
        message, rest = json.loads(rest[8 : 8 + header]), rest[8 + header + body :]
        on(message)
"#;

#[tokio::test]
async fn a_worker_without_marks_has_its_lines_counted_to_the_only_job_that_it_runs() {
    let host = TestHost::new();
    let mut spec = host.spec("well");
    spec.program.args = vec!["-c".to_owned(), FOREIGN_WORKER.to_owned()];
    let worker = host.start(spec).await.unwrap();
    let jobs = [JobId::now(), JobId::now()];
    let say = |job: Option<JobId>, word: &'static str| {
        let mut call = request("say", json!({"words": [word]}));
        call.job = job.map(|job| JobRef { job_id: job.to_string(), stage: 0, attempt: 1 });
        let worker = worker.clone();
        async move {
            worker.call(call).await.unwrap().unwrap();
            // In turn, so that it is certain which call was the only one.
            worker.output().caught_up().await;
        }
    };
    say(Some(jobs[0]), "first").await;
    say(None, "plain").await;
    say(Some(jobs[1]), "second").await;
    let lines = worker.output().tail(100);
    let found: BTreeSet<_> = lines.iter().map(|line| (line.text.as_str(), line.job_id)).collect();
    let expected = [("first", Some(jobs[0])), ("plain", None), ("second", Some(jobs[1]))];
    let logged = [("first logged", Some(jobs[0])), ("plain logged", None), ("second logged", Some(jobs[1]))];
    assert_eq!(found, expected.into_iter().chain(logged).collect());
    worker.stop(PATIENCE).await;
    TestHost::assert_nothing_left();
}
