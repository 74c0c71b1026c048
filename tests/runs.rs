//! `hardpoint run`: a pipeline in a host of its own, which means the same as on a server.

use crate::support::{Answer, Cli, PATIENCE, Server};
use hardpoint_testkit::wait_until;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A pipeline in a file.
fn pipeline(folder: &Path, definition: &Value) -> String {
    let file = folder.join("pipeline.json");
    fs::write(&file, definition.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn stage(tool: &str, config: &Value) -> Value {
    json!({"plugin": "relay", "tool": tool, "config": config})
}

/// A command that works without a server.
fn alone(args: &[&str]) -> Answer {
    Cli::new(args).run()
}

/// The same plugins, asked by a command that finds the server by its data folder.
fn asking(server: &Server, args: &[&str]) -> Answer {
    let mut cli = Cli::new(args);
    cli.command.env("HARDPOINT_DATA_DIR", server.data()).env("HARDPOINT_PLUGINS_DIR", "/nowhere");
    cli.run()
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::INT).unwrap();
}

#[test]
fn a_stage_has_arguments_of_its_own_from_the_input_and_from_stages_before() {
    let folder = tempfile::tempdir().unwrap();
    let stages = json!([
        stage("begin", &json!({"size": 2})),
        {"plugin": "relay", "tool": "shout", "args": {"text": {"$from": "/input/other"}}},
        {"plugin": "well", "tool": "echo", "args": {"text": {"$from": "/stages/0/text"}, "times": {"$from": "/stages/1/length"}}},
    ]);
    let file = pipeline(folder.path(), &stages);
    // The other one looks like a number, and is the text that its argument is to be.
    let answer = alone(&["run", &file, "--input", "text=ab", "--input", "other=123", "--json"]);
    assert_eq!(answer.json(), json!({"ok": true, "result": "ababab", "stages_executed": 3}));
    let misspelt = alone(&["run", &file, "--input", "text=ab", "--input", "others=123"]);
    assert_eq!(misspelt.code, 2);
    assert!(misspelt.stderr.contains("`/input/other` is not in the input"), "{}", misspelt.stderr);
    assert!(misspelt.stderr.contains("; it has `others`, `text`"), "{}", misspelt.stderr);
    let with = ["--input", "text=ab", "--input", "other=1", "--input", "others=123"];
    let unknown = alone(&[&["run", &file], &with[..]].concat());
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("no stage of this pipeline takes an input called `others`"));
}

#[test]
fn every_mistake_of_a_run_is_told_once_with_its_stage_and_what_can_be_found_without_workers_before_any_starts()
 {
    let folder = tempfile::tempdir().unwrap();
    let shout = |from: &str| json!({"plugin": "relay", "tool": "shout", "args": {"text": {"$from": from}}});
    let unstarted = json!([
        {"plugin": "nobody", "tool": "t"},
        shout("/stages/2"),
        shout("/input/gone"),
        {"plugin": "import_error", "tool": "t"},
    ]);
    let answer = alone(&["run", &pipeline(folder.path(), &unstarted), "--input", "text=a"]);
    let expected = [
        "error: the pipeline has 3 mistakes",
        "  stage 1 (nobody.t): there is no plugin `nobody`",
        "  stage 2 (relay.shout): `/stages/2` is stage 3 (relay.shout), which does not come before it",
        "    hint: `/stages/0` is stage 1, the only one before it",
        "  stage 3 (relay.shout): `/input/gone` is not in the input",
        "    hint: give it with `--input gone=VALUE`, in a request as `gone` of `input`; it has `text`",
    ];
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    for line in expected {
        assert_eq!(
            answer.stderr.lines().filter(|told| *told == line).count(),
            1,
            "{line}\n{}",
            answer.stderr
        );
    }
    assert!(!answer.stderr.contains("ready in process"), "{}", answer.stderr);

    let started = json!([stage("begin", &json!({"size": "big"})), stage("gone", &json!({}))]);
    let file = pipeline(folder.path(), &started);
    let answer = alone(&["run", &file, "--input", "text=a", "--json"]).json();
    let pointers: Vec<&Value> = answer["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(json!(pointers), json!(["/stages/0/config/size", "/stages/1/tool"]), "{answer:#}");
}

#[test]
fn the_input_is_read_before_anything_starts_and_its_names_are_the_same_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipeline(folder.path(), &json!([stage("shout", &json!({}))]));
    let input = folder.path().join("input.json");
    let with = |text: &str| {
        fs::write(&input, text).unwrap();
        alone(&["run", &file, "--input-json", input.to_str().unwrap()])
    };
    for (text, words) in [("{", "is not JSON"), ("[]", "is not a JSON object")] {
        let answer = with(text);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(
            answer.stderr.contains(words) && !answer.stderr.contains("ready in process"),
            "{}",
            answer.stderr
        );
    }
    let unknown = with(r#"{"text": "a", "other": 1}"#).stderr;
    assert!(unknown.contains("no stage of this pipeline takes an input called `other`"), "{unknown}");
    assert!(unknown.contains("hint: stage 1 (relay.shout) takes `text`"), "{unknown}");
}

#[test]
fn a_pipeline_comes_from_stdin_or_a_pipe_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipeline(folder.path(), &json!([stage("shout", &json!({"text": "a"}))]));
    let mut stdin = Cli::new(&["run", "-"]).dir(folder.path());
    stdin.command.stdin(fs::File::open(&file).unwrap());
    let shell = format!("exec {} run <(cat {file})", env!("CARGO_BIN_EXE_hardpoint"));
    let mut pipe = Cli::new(&[]).dir(folder.path());
    let mut bash = std::process::Command::new("bash");
    let set = pipe.command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    bash.args(["-c", &shell]).envs(set.collect::<Vec<_>>()).current_dir(folder.path());
    bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pipe.command = bash;
    for answer in [stdin.run(), pipe.run()] {
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        assert!(
            answer.stdout.contains('A') && answer.stderr.contains("done: 1 stage in"),
            "{}",
            answer.stderr
        );
    }
}

#[test]
fn what_finished_stages_brought_is_told_as_partial_and_whose_fault_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let stages = json!([stage("shout", &json!({"text": "a"})), stage("broken", &json!({"kind": "input"}))]);
    let answer = alone(&["run", &pipeline(folder.path(), &stages)]);
    let hint = "hint: correct the input, or `config` and `args` of stage 2 in the pipeline; ";
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("partial: what 1 stage brought before it failed:"), "{}", answer.stderr);
    assert!(answer.stderr.contains(hint), "{}", answer.stderr);
}

#[test]
fn a_stage_of_a_run_is_tried_again_as_often_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    for (retries, code) in [(0, 1), (1, 0)] {
        let there = folder.path().join(retries.to_string());
        let mut busy = stage("once_busy", &json!({"file": there}));
        busy["retries"] = json!(retries);
        let answer = alone(&["run", &pipeline(folder.path(), &json!([busy]))]);
        assert_eq!(answer.code, code, "{}", answer.stderr);
        assert_eq!(answer.stderr.contains("running, try 2"), retries == 1, "{}", answer.stderr);
        assert_eq!(answer.stdout.contains("woken"), retries == 1, "{}", answer.stdout);
        assert_eq!(
            answer.stderr.contains("the neighbour is busy (TransientError)"),
            retries == 0,
            "{}",
            answer.stderr
        );
    }
}

#[test]
fn a_stage_whose_plugin_stays_down_fails_instead_of_waiting_for_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let stages = [stage("broken", &json!({"kind": "crash"})), stage("shout", &json!({"text": "a"}))];
    let file = pipeline(folder.path(), &json!({"fail_fast": false, "stages": stages}));
    let answer = alone(&["run", &file, "--json"]);
    let document = answer.json();
    assert_eq!((answer.code, &document["stage_failed"]), (1, &json!(1)), "{document:#}");
    let reason = (&document["error_type"], &document["exit_reason"]["signal"]);
    assert_eq!(reason, (&json!("WorkerCrashed"), &json!(11)), "{document:#}");
}

#[test]
fn the_fields_that_a_failed_stage_names_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let fails = json!({"plugin": "typed_errors", "tool": "fail", "args": {"kind": "input"}});
    let stages = json!([stage("begin", &json!({"text": "a"})), fails]);
    let answer = alone(&["run", &pipeline(folder.path(), &stages), "--json"]);
    let document = answer.json();
    assert_eq!((answer.code, &document["stage_failed"]), (1, &json!(2)), "{document:#}");
    assert_eq!(document["fields_invalid"], json!(["page", "a/b"]), "{document:#}");
    assert_eq!(document["partial_result"]["text"], "a", "{document:#}");
}

#[test]
fn a_run_gives_the_same_document_alone_and_on_a_server() {
    let server = Server::with(&["relay", "typed_errors"]);
    let fails = |kind: &str| json!({"plugin": "typed_errors", "tool": "fail", "config": {"kind": kind}, "retries": 0});
    let cases = [
        json!([stage("begin", &json!({"size": 70_000})), stage("shout", &json!({}))]),
        json!({"pass": "merge", "stages": [stage("begin", &json!({"size": 70_000})), stage("weigh", &json!({}))]}),
        json!([stage("begin", &json!({})), fails("input")]),
        json!([stage("begin", &json!({})), fails("transient")]),
        json!({"pass": "merge", "fail_fast": false, "stages": [fails("resource"), stage("shout", &json!({}))]}),
        json!([stage("begin", &json!({})), stage("broken", &json!({"kind": "crash"}))]),
    ];
    let folder = tempfile::tempdir().unwrap();
    for definition in cases {
        for plugin in ["relay", "typed_errors"] {
            server.wait_for(plugin, "INITIALIZED");
        }
        let file = pipeline(folder.path(), &definition);
        let with = ["--input", "text=a b", "--json"];
        let mut cli = Cli::new(&[&["run", &file], &with[..]].concat()).plugins(server.plugins());
        cli.command.env_remove("HARDPOINT_SERVER");
        let here = cli.run();
        let there = asking(&server, &[&["pipeline", "run", &file], &with[..]].concat());
        assert_eq!((here.code, here.json()), (there.code, there.json()), "{definition:#}");
        if there.code == 0 {
            let asked = asking(&server, &[&["run", &file, "--server"], &with[..]].concat());
            assert_eq!((asked.code, asked.json()), (there.code, there.json()), "{definition:#}");
        }
        for plugin in ["relay", "typed_errors"] {
            server.post(&format!("/v1/plugins/{plugin}/restart"), None);
        }
    }
    let unfit = pipeline(folder.path(), &json!([stage("words", &json!({})), stage("shout", &json!({}))]));
    let with = ["--input", "text=a b", "--json"];
    let here = alone(&[&["run", &unfit], &with[..]].concat());
    let there = asking(&server, &[&["pipeline", "run", &unfit], &with[..]].concat());
    assert_eq!((here.code, there.code), (2, 2), "{}", here.stdout);
    for field in ["ok", "error_type", "category", "hint"] {
        assert_eq!(here.json()[field], there.json()[field], "{field}");
    }
    assert!(there.json()["error"].as_str().unwrap().starts_with(here.json()["error"].as_str().unwrap()));
    server.stop();
}

#[test]
fn what_is_the_input_unchanged_is_not_written_out_again() {
    let server = Server::with(&["relay"]);
    server.wait_for("relay", "INITIALIZED");
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.bin");
    fs::write(&picture, vec![7; 80_000]).unwrap();
    let definition = json!({"pass": "merge", "stages": [stage("weigh", &json!({}))]});
    let file = pipeline(folder.path(), &definition);
    let (image, out) = (format!("image=@{}", picture.display()), folder.path().join("out"));
    let with = ["--input", &image, "--out", out.to_str().unwrap()];
    for answer in [
        alone(&[&["run", &file], &with[..]].concat()),
        asking(&server, &[&["pipeline", "run", &file], &with[..]].concat()),
    ] {
        assert_eq!((answer.code, answer.stdout.as_str()), (0, "weight  80000\n"), "{}", answer.stderr);
        assert!(!out.exists(), "the picture was written again");
    }
    server.stop();
}

/// Starts a run of one stage.
fn started(folder: &Path, of: &Value, more: &[&str]) -> Child {
    let file = pipeline(folder, &json!([of]));
    Cli::new(&[&["run", &file], more].concat()).start()
}

#[test]
fn ctrl_c_in_a_stage_cancels_it_and_leaves_nothing_while_other_runs_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let there: PathBuf = folder.path().join("there");
    let sleeps = started(folder.path(), &stage("once_waits", &json!({"file": there})), &["--json"]);
    wait_until("the tool waits", PATIENCE, || there.exists());
    let other = tempfile::tempdir().unwrap();
    let file = pipeline(other.path(), &json!([stage("shout", &json!({"text": "a"}))]));
    assert_eq!(alone(&["run", &file]).code, 0, "two runs at once");
    interrupt(&sleeps);
    let ended = Answer::of(sleeps);
    assert_eq!((ended.code, &ended.json()["error_type"]), (130, &json!("Cancelled")), "{}", ended.stdout);

    // One that hears nothing is forced.
    let spins = json!({"plugin": "c_loop", "tool": "spin", "timeout_seconds": 600});
    let mut spins = started(folder.path(), &spins, &[]);
    let mut said = BufReader::new(spins.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.ends_with(": running")), "it never ran");
    interrupt(&spins);
    let ended = Answer::of(spins);
    assert_eq!((ended.code, ended.stdout.as_str()), (130, ""));
}
