//! Logs on a real disk: every line once and in its order, whatever becomes of memory, files and hosts.

use super::limits::{GONE_MAX, INSTANCES_MAX, PAGE_LINES, RETRY, WRITE_PAUSE};
use super::{LogFilter, LogReading, LogSettings, Logs, Start};
use hardpoint_model::job::JobId;
use hardpoint_model::log::{AttemptId, LogLevel, LogLine};
use hardpoint_supervisor::Captured;
use hardpoint_supervisor::limits::{OUTPUT_LINES_MAX, UNWRITTEN_LINES_MAX};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn settings(dir: &Path) -> LogSettings {
    LogSettings { dir: Some(dir.to_owned()), ..LogSettings::default() }
}

fn small(dir: &Path) -> LogSettings {
    LogSettings { file_bytes: 64 << 10, files: 3, ..settings(dir) }
}

fn attempt(job_id: JobId, attempt: u32) -> AttemptId {
    AttemptId { job_id, stage: 0, attempt }
}

fn say(captured: &Captured, attempt: Option<AttemptId>, text: &str) {
    captured.say(1, attempt, LogLevel::Info, text);
}

/// Many lines, slowly enough that all of them reach the disk.
async fn say_all(logs: &Logs, captured: &Captured, texts: impl Iterator<Item = String>) {
    for (count, text) in texts.enumerate() {
        say(captured, None, &text);
        if count % 1000 == 999 {
            logs.settled(PATIENCE).await;
        }
    }
    logs.settled(PATIENCE).await;
}

async fn kept(reading: &mut LogReading) -> Vec<Arc<LogLine>> {
    let mut found = Vec::new();
    loop {
        let lines = reading.next_kept().await;
        if lines.is_empty() {
            return found;
        }
        found.extend(lines);
    }
}

async fn read(logs: &Logs, filter: LogFilter, start: Start) -> Vec<String> {
    let lines = kept(&mut logs.read(&["a".to_owned()], filter, start)).await;
    lines.iter().map(|line| line.text.clone()).collect()
}

async fn all(logs: &Logs) -> Vec<String> {
    read(logs, LogFilter::default(), Start::After(0)).await
}

fn texts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("line {number}")).collect()
}

fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let found = fs::read_dir(dir.join("a")).unwrap().map(|entry| entry.unwrap());
    let mut found: Vec<_> = found.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
    found.sort();
    found
}

#[tokio::test]
async fn lines_are_read_as_they_were_said_from_memory_and_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    for logs in [Logs::default(), Logs::open(&settings(dir.path()))] {
        let captured = logs.of("a", "a");
        (0..100).for_each(|number| say(&captured, None, &format!("line {number}")));
        assert_eq!(all(&logs).await, texts(0..100));
        assert_eq!(read(&logs, LogFilter::default(), Start::Last(3)).await, texts(97..100));
        logs.settled(PATIENCE).await;
    }
    let logs = Logs::open(&settings(dir.path()));
    let captured = logs.of("a", "a");
    say_all(&logs, &captured, texts(0..5000).into_iter()).await;
    let both = texts((0..100).chain(0..5000));
    assert_eq!(all(&logs).await, both, "more than memory holds, and what the host before wrote");
    assert_eq!(read(&logs, LogFilter::default(), Start::Last(5050)).await, both[50..]);
    let lines = kept(&mut logs.read(&["a".to_owned()], LogFilter::default(), Start::After(0))).await;
    let numbers: BTreeSet<u64> = lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers.len(), 5100, "each has a number of its own");
    assert!(lines.is_sorted_by_key(|line| line.number));
    assert_eq!(read(&logs, LogFilter::default(), Start::After(lines[10].number)).await, both[11..]);
}

#[tokio::test]
async fn a_slice_of_a_job_has_its_lines_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&settings(dir.path()));
    let captured = logs.of("a", "a");
    let (one, other) = (JobId::now(), JobId::now());
    for number in 0..3000 {
        let id = match number % 3 {
            0 => Some(attempt(one, 1 + number / 1500)),
            1 => Some(attempt(other, 1)),
            _ => None,
        };
        say(&captured, id, &format!("line {number}"));
    }
    let of = |filter: LogFilter| LogFilter { job: Some(one), ..filter };
    let expected = texts((0..3000).step_by(3));
    for _ in 0..2 {
        assert_eq!(read(&logs, of(LogFilter::default()), Start::After(0)).await, expected);
        assert_eq!(read(&logs, of(LogFilter::default()), Start::Last(700)).await, expected[300..]);
        let second = LogFilter { attempt: Some(2), ..LogFilter::default() };
        assert_eq!(read(&logs, of(second), Start::After(0)).await, expected[500..]);
        let found = LogFilter { contains: Some("line 29".to_owned()), ..LogFilter::default() };
        assert_eq!(read(&logs, of(found), Start::Last(2)).await, texts([2994, 2997]));
        logs.settled(PATIENCE).await;
    }
    let next = Logs::open(&settings(dir.path()));
    assert_eq!(read(&next, of(LogFilter::default()), Start::After(0)).await, expected, "by the next host");
}

#[tokio::test]
async fn lines_of_several_instances_come_in_one_order() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&settings(dir.path()));
    let captured = [logs.of("a", "a"), logs.of("b", "b")];
    for number in 0..4000 {
        say(&captured[number / 7 % 2], None, &format!("line {number}"));
        if number % 1000 == 0 {
            logs.settled(PATIENCE).await;
        }
    }
    let both = ["a".to_owned(), "b".to_owned()];
    for (start, expected) in [(Start::After(0), texts(0..4000)), (Start::Last(1500), texts(2500..4000))] {
        let lines = kept(&mut logs.read(&both, LogFilter::default(), start)).await;
        let found: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn whoever_follows_sees_every_line_once_however_slow_he_is() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&LogSettings { file_bytes: 256 << 10, files: 50, ..settings(dir.path()) });
    let captured = logs.of("a", "a");
    say_all(&logs, &captured, texts(0..3000).into_iter()).await;
    let mut reading = logs.read(&["a".to_owned()], LogFilter::default(), Start::After(0));
    let mut seen = Vec::new();
    // He reads a page of 500 for each 1000 lines, so that memory is not enough.
    for round in 3..28 {
        say_all(&logs, &captured, texts(round * 1000..(round + 1) * 1000).into_iter()).await;
        seen.extend(reading.next_kept().await);
    }
    assert!(seen.len() <= 25 * PAGE_LINES, "{}", seen.len());
    seen.extend(kept(&mut reading).await);
    say(&captured, None, "line 28000");
    tokio::time::timeout(PATIENCE, reading.changed()).await.unwrap();
    seen.extend(kept(&mut reading).await);
    let seen: Vec<String> = seen.iter().map(|line| line.text.clone()).collect();
    assert_eq!(seen, texts(0..28_001));
}

#[tokio::test]
async fn files_have_their_size_and_number_and_the_last_lines_stay() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&small(dir.path()));
    let captured = logs.of("a", "a");
    say_all(&logs, &captured, texts(0..20_000).into_iter()).await;
    let files = files(dir.path());
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|(_, len)| *len <= 64 << 10), "{files:?}");
    let found = all(&logs).await;
    assert!(found.len() > 400, "{}", found.len());
    assert_eq!(found, texts(20_000 - found.len()..20_000));
}

#[tokio::test]
async fn what_comes_faster_than_it_can_be_written_is_counted_in_the_log_itself() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&LogSettings { file_bytes: 64 << 20, ..settings(dir.path()) });
    let captured = logs.of("a", "a");
    let job = JobId::now();
    let total = 20 * UNWRITTEN_LINES_MAX;
    (0..total).for_each(|number| say(&captured, Some(attempt(job, 1)), &format!("line {number}")));
    logs.settled(PATIENCE).await;
    let lines = kept(&mut logs.read(&["a".to_owned()], LogFilter::default(), Start::After(0))).await;
    let told: usize = lines
        .iter()
        .filter(|line| line.level == Some(LogLevel::Warning))
        .map(|line| {
            let (count, rest) = line.text.split_once(' ').unwrap();
            assert!(rest.contains("not kept") && line.job_id == Some(job), "{line:?}");
            count.parse::<usize>().unwrap()
        })
        .sum();
    let kept = lines.iter().filter(|line| line.level == Some(LogLevel::Info)).count();
    assert_eq!(told + kept, total);
    assert_eq!(lines.last().unwrap().text, format!("line {}", total - 1), "the last ones are not lost");
    assert!(lines.is_sorted_by_key(|line| line.number));
}

#[tokio::test]
async fn a_line_that_the_death_of_a_host_tore_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&settings(dir.path()));
    let captured = logs.of("a", "a");
    say_all(&logs, &captured, texts(0..10).into_iter()).await;
    let (file, len) = files(dir.path()).pop().unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_len(len - 20).unwrap();
    let next = Logs::open(&settings(dir.path()));
    assert_eq!(all(&next).await, texts(0..9));
    let captured = next.of("a", "a");
    say_all(&next, &captured, texts(20..30).into_iter()).await;
    fs::File::options().append(true).open(&file).unwrap().write_all(b"\xff\xfe garbage\n{}\n").unwrap();
    say_all(&next, &captured, texts(30..33).into_iter()).await;
    let expected = texts((0..9).chain(20..33));
    assert_eq!(all(&next).await, expected);
    let lines = kept(&mut next.read(&["a".to_owned()], LogFilter::default(), Start::After(0))).await;
    assert!(lines.is_sorted_by(|a, b| a.number < b.number), "numbers go on");
    assert_eq!(read(&next, LogFilter::default(), Start::Last(5)).await, expected[17..]);
}

#[tokio::test]
async fn a_disk_that_refuses_costs_nothing_but_what_memory_cannot_hold_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    // A file where the folder should be.
    fs::write(dir.path().join("a"), "").unwrap();
    let logs = Logs::open(&settings(dir.path()));
    let captured = logs.of("a", "a");
    let count = 2 * OUTPUT_LINES_MAX;
    (0..count).for_each(|number| say(&captured, None, &format!("line {number}")));
    let refused = async {
        while !logs.shared.trouble.load(std::sync::atomic::Ordering::Relaxed) {
            tokio::time::sleep(WRITE_PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert_eq!(all(&logs).await, texts(0..count), "what waits for the disk is read from memory");
    fs::remove_file(dir.path().join("a")).unwrap();
    let written = async {
        let mut written = captured.written();
        let last = *captured.last().borrow();
        written.wait_for(|number| *number >= last).await.unwrap();
    };
    tokio::time::timeout(RETRY + PATIENCE, written).await.unwrap();
    assert_eq!(all(&Logs::open(&settings(dir.path()))).await, texts(0..count), "and reaches it in the end");
}

#[tokio::test]
async fn a_folder_that_somebody_removed_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&settings(dir.path()));
    let captured = logs.of("a", "a");
    say_all(&logs, &captured, texts(0..3).into_iter()).await;
    fs::remove_dir_all(dir.path().join("a")).unwrap();
    say_all(&logs, &captured, texts(3..5).into_iter()).await;
    assert_eq!(all(&Logs::open(&settings(dir.path()))).await, texts(3..5));
}

#[test]
fn a_folder_is_named_after_its_instance_whatever_that_is_called() {
    let long = "x".repeat(300);
    let cases = [
        ("faces", "faces"),
        ("ocr@fast.v2", "ocr@fast.v2"),
        (".", "%2e"),
        ("..", "%2e."),
        ("a b/ü", "a%20b%2f%c3%bc"),
    ];
    for (instance, expected) in cases {
        assert_eq!(super::files::folder(Path::new("/logs"), instance), Path::new("/logs").join(expected));
    }
    let name = |text: &str| super::files::folder(Path::new("/"), text).to_str().unwrap().len();
    assert!(name(&long) < 200);
    let other = format!("{long}y");
    assert_ne!(super::files::folder(Path::new("/"), &long), super::files::folder(Path::new("/"), &other));
}

#[tokio::test]
async fn an_instance_that_is_gone_can_still_be_read_and_goes_on_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&settings(dir.path()));
    say(&logs.of("p", "a"), None, "first");
    logs.settled(PATIENCE).await;
    logs.let_go("a");
    for number in 0..GONE_MAX {
        logs.of("p", &number.to_string());
        logs.let_go(&number.to_string());
    }
    assert!(logs.known("a").is_none(), "only the last few are in memory");
    assert_eq!(read(&logs, LogFilter::default(), Start::After(0)).await, ["first"]);
    // Of another plugin, this time.
    let back = logs.of("q", "a");
    assert_eq!(back.plugin(), "q");
    say(&back, None, "second");
    assert_eq!(read(&logs, LogFilter::default(), Start::After(0)).await, ["first", "second"]);
    assert_eq!(read(&logs, LogFilter::default(), Start::Last(1)).await, ["second"]);
}

#[tokio::test]
async fn however_many_instances_come_and_go_only_so_many_folders_stay() {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(&settings(dir.path()));
    for number in 0..2 * INSTANCES_MAX + 2 {
        let instance = number.to_string();
        say(&logs.of("p", &instance), None, "hello");
        logs.caught_up(std::slice::from_ref(&instance)).await;
        logs.let_go(&instance);
    }
    let folders = fs::read_dir(dir.path()).unwrap().count();
    assert!((INSTANCES_MAX..=2 * INSTANCES_MAX).contains(&folders), "{folders}");
}
