//! Binary data that jobs are given: kept before they are accepted, in files where it is large, for as long as their outputs.

use crate::jobs::{cancel, hand_in, job, occupied, submit, until};
use crate::pipelines::accepted;
use crate::support::{Answer, Cli, Disk, PATIENCE, Server, Serving};
use hardpoint_testkit::wait_until;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Child;

/// So many million bytes in a document.
fn megabytes(count: usize) -> Value {
    json!({"$bytes": "AAAA".repeat(count * 1_000_000 / 3 + 1)})
}

const MEGABYTE: u64 = 1_000_002;

/// The sizes of the files of binary data, by name.
fn files(data: &Path) -> BTreeMap<String, u64> {
    let entries = fs::read_dir(data.join("outputs")).unwrap().map(Result::unwrap);
    let sizes =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()));
    sizes.collect()
}

#[track_caller]
fn is_sound(data: &Path) {
    let mut cli = Cli::new(&["db", "check"]);
    cli.command.env("HARDPOINT_DATA_DIR", data);
    let answer = cli.run();
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
}

/// A photo that is given to a run whose second stage fails the first time, and is weighed by its third.
fn weighed_at_last(folder: &Path) -> Value {
    let stages = json!([
        {"plugin": "relay", "tool": "begin", "config": {"text": "a"}},
        {"plugin": "relay", "tool": "once_broken", "config": {"file": folder.join("there")}},
        {"plugin": "relay", "tool": "weigh", "args": {"image": {"$from": "/input/image"}}}
    ]);
    json!({"pipeline": stages, "input": {"image": megabytes(1), "text": "b"}})
}

fn runs_again(server: &Server, failed: &str) {
    until(server, failed, "failed");
    server.post("/v1/plugins/relay/restart", None);
    server.wait_for("relay", "INITIALIZED");
    let again = server.post(&format!("/v1/jobs/{failed}/rerun"), None);
    assert_eq!(again.status, 202, "{}", again.text);
    let next = again.json()["job_id"].as_str().unwrap().to_owned();
    until(server, &next, "completed");
    let result = server.get(&format!("/v1/jobs/{next}/result")).json();
    assert_eq!(result["result"]["weight"], MEGABYTE);
}

#[test]
fn a_job_with_a_large_argument_survives_the_death_of_the_server_before_it_starts() {
    let (server, blocker) = occupied("");
    let id = submit(&server, "view_bytes", &json!({"data": megabytes(1)}), &json!({}));
    assert_eq!(files(&server.data()), BTreeMap::from([(format!("{id}-i-0"), MEGABYTE)]));
    let server = server.killed().start();
    // What nobody knows of is swept away at the start; this is not.
    assert_eq!(files(&server.data()).len(), 1);
    is_sound(&server.data());
    assert_eq!(cancel(&server, &blocker).status / 100, 2);
    let done = until(&server, &id, "completed");
    assert_eq!(done["stages"][0]["args"], json!({"data": {"$bytes_length": MEGABYTE}}));
    assert_eq!(server.get(&format!("/v1/jobs/{id}/result")).json()["result"], MEGABYTE);
    server.stop();
}

#[test]
fn a_small_argument_is_kept_without_a_file() {
    let (server, blocker) = occupied("");
    let args = json!({"value": [{"$bytes": "AAEC"}, {"$blob": 0}, {"$value": 1}]});
    let id = submit(&server, "echo_value", &args, &json!({}));
    let server = server.killed().start();
    assert_eq!(files(&server.data()), BTreeMap::new());
    assert_eq!(cancel(&server, &blocker).status / 100, 2);
    let done = until(&server, &id, "completed");
    let shown = json!({"value": [{"$bytes_length": 3}, {"$blob": 0}, {"$value": 1}]});
    assert_eq!(done["stages"][0]["args"], shown);
    assert_eq!(server.get(&format!("/v1/jobs/{id}/result")).json()["result"], args["value"]);
    server.stop();
}

#[test]
fn binary_data_is_checked_against_the_schema_of_its_tool() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let refused = hand_in(&server, "well", "echo", &json!({"text": megabytes(1)}), &json!({}));
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (422, &json!("arguments_invalid")), "{problem:#}");
    assert_eq!(problem["errors"][0]["pointer"], "/args/text", "{problem:#}");
    assert_eq!(files(&server.data()), BTreeMap::new());
    server.stop();
}

#[test]
fn a_job_that_is_refused_or_known_leaves_no_file() {
    let (server, blocker) = occupied("jobs: {pending_max: 2}");
    let large = json!({"data": megabytes(1)});
    let key = json!({"idempotency_key": "photo"});
    let id = submit(&server, "view_bytes", &large, &key);
    assert_eq!(submit(&server, "view_bytes", &large, &key), id);
    let full = hand_in(&server, "well", "view_bytes", &large, &json!({}));
    assert_eq!((full.status, &full.json()["code"]), (503, &json!("queue_full")));
    assert_eq!(files(&server.data()), BTreeMap::from([(format!("{id}-i-0"), MEGABYTE)]));
    assert_eq!(cancel(&server, &blocker).status / 100, 2);
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn a_disk_that_is_full_refuses_a_large_argument_and_leaves_no_file() {
    let Some(disk) = Disk::in_memory(12) else { return };
    let server = Serving::of(&["well"]).data_in(&disk.path()).start();
    server.wait_for("well", "INITIALIZED");
    let large = json!({"data": megabytes(20)});
    let refused = hand_in(&server, "well", "view_bytes", &large, &json!({}));
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (503, &json!("store_unavailable")), "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("the disk is full"), "{problem:#}");
    assert_eq!(files(&server.data()), BTreeMap::new());
    assert_eq!(server.get("/v1/jobs").json()["count"], 0);
    let id = submit(&server, "view_bytes", &json!({"data": megabytes(1)}), &json!({}));
    until(&server, &id, "completed");
    server.stop();
}

#[test]
fn what_a_job_was_given_goes_with_its_outputs_and_then_it_cannot_be_run_again() {
    let serving = Serving::of(&["relay"]);
    let (data, folder) = (serving.data(), tempfile::tempdir().unwrap());
    let server = serving.start();
    server.wait_for("relay", "INITIALIZED");
    let body = json!({"pipeline": [{"plugin": "relay", "tool": "broken", "args": {"kind": {"$from": "/input/kind"}}}],
        "input": {"kind": "input", "image": megabytes(2)}});
    let old = accepted(&server, &body);
    until(&server, &old, "failed");
    let id = accepted(&server, &weighed_at_last(folder.path()));
    runs_again(&server, &id);
    // Those of the job and of the one that is it once more are the same file.
    let inodes = fs::read_dir(data.join("outputs")).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    let linked: Vec<u64> = inodes.filter(|file| file.nlink() == 2).map(|file| file.ino()).collect();
    assert_eq!((linked.len(), files(&data).len()), (2, 3), "{:?}", files(&data));
    assert_eq!(linked[0], linked[1]);
    let server = server.stopped().config("jobs: {keep_outputs_mb: 2}").start();
    wait_until("the oldest is let go of", PATIENCE, || files(&data).len() == 2);
    is_sound(&data);
    let refused = server.post(&format!("/v1/jobs/{old}/rerun"), None);
    assert_eq!(refused.json()["code"], "no_result", "{}", refused.text);
    assert_eq!(job(&server, &old)["status"], "failed", "what it was stays");
    server.stop();
}

/// What a process has taken of memory at the most, and the memory files that it holds.
fn memory(child: &Child) -> u64 {
    let of = Path::new("/proc").join(child.id().to_string());
    let status = fs::read_to_string(of.join("status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap();
    let open = fs::read_dir(of.join("fd")).unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_memory = fs::read_link(&path).ok()?.to_str()?.starts_with("/memfd:");
        let about = fs::metadata(&path).ok().filter(|_| is_memory)?;
        Some((about.ino(), about.len()))
    });
    peak * 1024 + open.collect::<BTreeMap<u64, u64>>().values().sum::<u64>()
}

#[test]
fn a_run_takes_a_large_input_and_holds_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, there) = (folder.path().join("picture"), folder.path().join("there"));
    fs::write(&picture, vec![7; 100_000_000]).unwrap();
    let stages = json!([{"plugin": "relay", "tool": "weigh"}, {"plugin": "relay", "tool": "once_waits", "config": {"file": there}}]);
    let file = folder.path().join("pipeline.json");
    fs::write(&file, json!({"pass": "merge", "stages": stages}).to_string()).unwrap();
    let image = format!("image=@{}", picture.display());
    let command = ["run", file.to_str().unwrap(), "--input", &image, "--json"];
    let run = Cli::new(&command).start();
    wait_until("the picture was weighed", PATIENCE, || there.exists());
    let held = memory(&run);
    rustix::process::kill_process(rustix::process::Pid::from_child(&run), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(Answer::of(run).code, 130);
    assert!((100_000_000..250_000_000).contains(&held), "it holds {held} bytes");
    let answer = Cli::new(&[&command[..], &["--out", folder.path().to_str().unwrap()]].concat()).run();
    assert_eq!(answer.json()["result"]["weight"], 100_000_000, "{}", answer.stderr);
}
