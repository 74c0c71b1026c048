//! Logs and the disk: what is kept after floods and kills, and when the disk takes no more.

use crate::jobs::hand_in;
use crate::logs::{WAYS, array, over, slice, submit};
use crate::support::{Disk, PATIENCE, Server, Serving};
use hardpoint_testkit::{soon, wait_until};
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

#[test]
fn on_a_full_or_read_only_disk_the_host_goes_on_warns_once_and_writes_again_when_it_can() {
    let Some(disk) = Disk::in_memory(1) else { return };
    let serving = Serving::of(&["talks"]);
    symlink(disk.path(), serving.data().join("logs")).unwrap();
    let server = serving.start();
    server.wait_for("talks", "INITIALIZED");
    let count = |text: &str| server.log().matches(text).count();
    let mut ids = Vec::new();
    for (round, what) in ["full", "read-only"].into_iter().enumerate() {
        wait_until("the first line is written", PATIENCE, || !files(&server, "talks").is_empty());
        if what == "full" {
            disk.fill();
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
            disk.free();
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
