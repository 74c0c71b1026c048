//! What plugins say is kept, and each line in the slice of the job that it belongs to, and in no other.

use crate::jobs::hand_in;
use crate::support::{Cli, PATIENCE, Server, Serving, TestHost, request, run_tool};
use hardpoint_model::job::JobId;
use hardpoint_testkit::{soon, wait_until};
use hardpoint_wire::JobRef;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// The ways on which `talks.talk` says its word.
const WAYS: [&str; 12] = [
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
fn submit(server: &Server, tool: &str, args: &Value) -> String {
    let reply = hand_in(server, "talks", tool, args, &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()["job_id"].as_str().unwrap().to_owned()
}

/// Waits until a job is over; the job as it is then.
#[track_caller]
fn over(server: &Server, id: &str) -> Value {
    let job = server.post(&format!("/v1/jobs/{id}/wait?timeout_seconds=60"), None).json();
    assert!(["completed", "failed", "cancelled"].contains(&job["status"].as_str().unwrap()), "{job:#}");
    job
}

#[track_caller]
fn array(server: &Server, path: &str) -> Vec<Value> {
    let reply = server.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.json().as_array().unwrap().clone()
}

#[track_caller]
fn slice(server: &Server, id: &str, query: &str) -> Vec<Value> {
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

/// The files of an instance and their sizes.
fn files(server: &Server, instance: &str) -> Vec<(PathBuf, u64)> {
    let found = fs::read_dir(server.data().join("logs").join(instance)).into_iter().flatten().flatten();
    // One may go while it is looked at.
    found.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len()))).collect()
}

/// Memory of a process, in MiB.
fn memory_mb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn a_flood_of_200_megabytes_stays_within_its_bounds_and_its_last_lines_are_kept() {
    const MIB: u64 = 1 << 20;
    let server = Serving::of(&["talks", "well"]).config("logs: {file_mb: 1, files: 3}\n").start();
    server.wait_for("talks", "INITIALIZED");
    server.wait_for("well", "INITIALIZED");
    let before = memory_mb(server.pid());
    let neighbour = hand_in(&server, "well", "log", &json!({"lines": 50}), &json!({})).json();
    let flood = submit(&server, "flood", &json!({"word": "w", "megabytes": 200}));
    let mut most = (0, 0);
    let mut slowest = 0;
    let ended = soon(PATIENCE * 3, || {
        let begun = Instant::now();
        let done = server.get(&format!("/v1/jobs/{flood}")).json()["status"] == "completed";
        slowest = slowest.max(begun.elapsed().as_millis());
        let sizes: Vec<u64> = files(&server, "talks").into_iter().map(|(_, len)| len).collect();
        assert!(sizes.iter().all(|len| *len <= MIB), "{sizes:?}");
        most = (most.0.max(sizes.len()), most.1.max(memory_mb(server.pid())));
        done
    });
    assert!(ended, "{}", server.log());
    // The next one may be there before the oldest is gone.
    assert!(most.0 <= 4, "{most:?}");
    assert!(most.1 < before + 100, "from {before} to {} MiB", most.1);
    println!("the slowest look took {slowest} ms; memory went from {before} to {} MiB", most.1);
    let last = slice(&server, &flood, "tail=5");
    assert_eq!(last.last().unwrap()["text"], "w the end");
    let lines = slice(&server, &flood, "");
    let kept = lines.iter().filter(|line| line["source"] == "stdout").count();
    assert!(kept > 1000, "{kept} lines");
    // Whoever is beside it loses nothing.
    let slice = slice(&server, neighbour["job_id"].as_str().unwrap(), "");
    assert_eq!(slice.len(), 100);
    server.stop();
}

#[test]
fn what_was_said_for_a_job_is_served_by_the_next_server() {
    let server = Server::with(&["talks"]);
    let done = submit(&server, "talk", &json!({"word": "first"}));
    over(&server, &done);
    let gate = server.here().join("gate");
    let cut = submit(&server, "until", &json!({"word": "second", "path": gate}));
    wait_until("it has spoken", PATIENCE, || !slice(&server, &cut, "").is_empty());
    let (before, of_plugin) =
        (slice(&server, &done, ""), array(&server, "/v1/plugins/talks/logs?lines=1000"));
    // What somebody has seen is there after a kill.
    let server = server.killed().start();
    assert_eq!(slice(&server, &done, ""), before);
    let kept = array(&server, "/v1/plugins/talks/logs?lines=1000");
    assert_eq!(kept[..of_plugin.len()], of_plugin);
    fs::write(&gate, "").unwrap();
    assert_eq!(over(&server, &cut)["stages"][0]["attempts"], 2);
    let lines = slice(&server, &cut, "");
    let told: Vec<_> =
        lines.iter().map(|line| (line["attempt"].as_u64().unwrap(), line["text"].clone())).collect();
    let waits = json!("second waits");
    assert_eq!(told, [(1, waits.clone()), (2, waits), (2, json!("second goes on"))]);
    // Half a line, as a death in the middle of a write would leave it.
    let serving = server.killed();
    let (file, _) = newest(&serving.data());
    let mut file = fs::File::options().append(true).open(file).unwrap();
    file.write_all(br#"{"number":99999,"at":"20"#).unwrap();
    let server = serving.start();
    assert_eq!(slice(&server, &done, ""), before);
    let third = submit(&server, "talk", &json!({"word": "third"}));
    over(&server, &third);
    assert_eq!(slice(&server, &third, "").len(), WAYS.len());
    server.stop();
}

fn newest(data: &Path) -> (PathBuf, u64) {
    let found = fs::read_dir(data.join("logs/talks")).unwrap().map(|entry| entry.unwrap());
    found.map(|entry| (entry.path(), entry.metadata().unwrap().len())).max().unwrap()
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

/// A small file system of its own; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: &Path) -> Result<Self, String> {
        fs::create_dir_all(path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(path).output();
        match mount {
            Ok(done) if done.status.success() => Ok(Self(path.to_owned())),
            Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl SmallDisk {
    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_or_read_only_disk_the_host_goes_on_warns_once_and_writes_again_when_it_can() {
    let serving = Serving::of(&["talks"]);
    let logs = serving.data().join("logs");
    let disk = match SmallDisk::at(&logs) {
        Ok(disk) => disk,
        Err(reason) => {
            println!("skipped: no small file system can be mounted here: {reason}");
            return;
        }
    };
    let server = serving.start();
    server.wait_for("talks", "INITIALIZED");
    let count = |text: &str| server.log().matches(text).count();
    let mut ids = Vec::new();
    for (round, what) in ["full", "read-only"].into_iter().enumerate() {
        wait_until("the first line is written", PATIENCE, || !files(&server, "talks").is_empty());
        let filler = logs.join("filler");
        if what == "full" {
            let mut file = fs::File::create(&filler).unwrap();
            while file.write_all(&[0; 4096]).is_ok() {}
        } else {
            disk.remount("ro");
        }
        for number in 0..5 {
            let id = submit(&server, "talk", &json!({"word": format!("{what}{number}")}));
            assert_eq!(over(&server, &id)["status"], "completed");
            assert_eq!(slice(&server, &id, "").len(), WAYS.len(), "it is in memory");
            ids.push(id);
        }
        let warning = "the logs of plugins cannot be written";
        wait_until("it says that the disk refuses", PATIENCE, || count(warning) == round + 1);
        assert_eq!(server.get("/v1/health").status, 200);
        if what == "full" {
            fs::remove_file(&filler).unwrap();
        } else {
            disk.remount("rw");
        }
        let again = "the logs of plugins are written to";
        wait_until("it is written again", PATIENCE, || count(again) == round + 1);
        assert_eq!(count(warning), round + 1, "{}", server.log());
    }
    // All of it is there, also what was said while the disk refused.
    let server = server.killed().start();
    for id in &ids {
        assert_eq!(slice(&server, id, "").len(), WAYS.len());
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
