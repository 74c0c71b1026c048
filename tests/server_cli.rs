//! The command line against a running server: every verb, what people see, what scripts get.

use crate::support::{Answer, Cli, PATIENCE, Server, Serving};
use hardpoint_testkit::wait_until;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Child;

/// A command that finds the server by its data folder alone.
fn asking(server: &Server, args: &[&str]) -> Cli {
    let mut cli = Cli::new(args).dir(server.here());
    cli.command.env("HARDPOINT_DATA_DIR", server.data()).env("HARDPOINT_PLUGINS_DIR", "/nowhere");
    cli
}

#[track_caller]
fn ask(server: &Server, args: &[&str]) -> Answer {
    asking(server, args).run()
}

#[track_caller]
fn ok(server: &Server, args: &[&str]) -> Answer {
    let answer = ask(server, args);
    assert_eq!(answer.code, 0, "{args:?}: {}{}", answer.stdout, answer.stderr);
    answer
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in\n{text}");
    }
}

#[test]
fn a_person_sees_states_signs_of_life_reasons_and_remedies() {
    let server = Server::with(&["well", "import_error"]);
    server.wait_for("well", "INITIALIZED");
    server.wait_for("import_error", "FAILED");
    let all = ok(&server, &["plugin", "health"]).stdout;
    says(
        &all,
        &[
            "NAME",
            "STATE",
            "LIVENESS",
            "INITIALIZED",
            "live",
            "import_error FAILED: ",
            "ModuleNotFoundError",
            "hint:",
        ],
    );
    let pid = server.health("well")["pid"].to_string();
    says(
        &ok(&server, &["plugin", "health", "well"]).stdout,
        &["well is INITIALIZED", &format!("process {pid}, live")],
    );
    let one = ok(&server, &["plugin", "show", "well"]).stdout;
    says(
        &one,
        &["well is INITIALIZED", "/plugins/well", "echo(text: string, times: integer = 1)", "start took"],
    );
    let log = ok(&server, &["plugin", "logs", "import_error"]).stdout;
    says(&log, &["Traceback (most recent call last):", "ModuleNotFoundError", "host error"]);
    // The folder is not looked at: the server is.
    says(&ok(&server, &["plugin", "list", "--server"]).stdout, &["well", "INITIALIZED"]);
    server.stop();
}

#[test]
fn a_script_gets_the_documents_of_the_server() {
    let server = Server::with(&["well", "import_error"]);
    server.wait_for("well", "INITIALIZED");
    let without_clock = |mut document: Value| {
        for health in document.as_array_mut().into_iter().flatten() {
            health["uptime_seconds"] = Value::Null;
        }
        document.as_object_mut().map(|fields| fields.remove("uptime_seconds"));
        document
    };
    server.wait_for("import_error", "FAILED");
    for (args, path) in [
        (&["plugin", "health", "--json"][..], "/v1/plugins"),
        (&["plugin", "health", "well", "--json"], "/v1/plugins/well/health"),
        (&["plugin", "show", "import_error", "--json"], "/v1/plugins/import_error"),
        (&["plugin", "logs", "import_error", "-n", "2", "--json"], "/v1/plugins/import_error/logs?lines=2"),
    ] {
        assert_eq!(
            without_clock(ok(&server, args).json()),
            without_clock(server.get(path).json()),
            "{args:?}"
        );
    }
    server.stop();
}

#[test]
fn every_verb_does_what_it_says_and_tells_the_outcome() {
    let server = Server::with(&["well", "import_error"]);
    server.wait_for("well", "INITIALIZED");
    let said = ok(&server, &["plugin", "restart", "well"]).stdout;
    says(&said, &["well is restarted: INITIALIZED, incarnation 2, process "]);
    says(&ok(&server, &["plugin", "unload", "well"]).stdout, &["well is unloaded: LOADED"]);
    says(&ok(&server, &["plugin", "health"]).stdout, &["`hardpoint plugin load well`"]);
    says(&ok(&server, &["plugin", "load", "well"]).stdout, &["well is loaded: INITIALIZED"]);
    says(&ok(&server, &["plugin", "disable", "well"]).stdout, &["well is disabled"]);
    let refused = ask(&server, &["call", "--server", "well", "echo", "text=a"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    says(&refused.stderr, &["`well` is disabled", "hint:", "hardpoint plugin enable well"]);
    says(&ok(&server, &["plugin", "enable", "well"]).stdout, &["well is enabled: INITIALIZED"]);
    says(&ok(&server, &["plugin", "prefetch", "well"]).stdout, &["well is prefetched"]);
    let failed = ask(&server, &["plugin", "restart", "import_error"]);
    assert_eq!(failed.code, 4);
    says(
        &failed.stdout,
        &["import_error is FAILED", "ModuleNotFoundError", "hint:", "import_error/hardpoint.toml"],
    );
    let document = ask(&server, &["plugin", "restart", "import_error", "--json"]);
    assert_eq!((document.code, document.json()["state"].clone()), (4, json!("FAILED")));
    server.stop();
}

#[test]
fn a_verb_that_is_not_done_in_time_says_so() {
    let server = Server::with(&["hang_at_import"]);
    server.wait_for("hang_at_import", "FAILED");
    let now = ok(&server, &["plugin", "restart", "hang_at_import", "--wait", "0"]);
    says(&now.stderr, &["restart of `hang_at_import` is not done after 0 s", "--watch"]);
    let soon = ask(&server, &["plugin", "restart", "hang_at_import", "--wait", "1"]);
    assert_eq!(soon.code, 4, "{}{}", soon.stdout, soon.stderr);
    server.stop();
}

#[test]
fn a_call_over_a_server_answers_as_an_embedded_one() {
    let server = Server::with(&["well", "segfault", "import_error"]);
    for plugin in ["well", "segfault"] {
        server.wait_for(plugin, "INITIALIZED");
    }
    server.wait_for("import_error", "FAILED");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.bin");
    fs::write(&file, [0, 159, 146, 150]).unwrap();
    let data = format!("data=@{}", file.display());
    for (args, code) in [
        (&["well", "echo", "text=a", "times=3"][..], 0),
        (&["well", "echo_value", "value={\"a\":[1,2.5,null]}"], 0),
        (&["well", "echo_value", "value=[{\"$bytes\":\"AAEC\"}]"], 0),
        (&["well", "echo_bytes", &data], 0),
        (&["well", "count", "n=3"], 0),
        (&["well", "count", "n=0"], 0),
        (&["well", "count", "n=3", "fail_at=1"], 1),
        (&["well", "fail", "kind=input"], 1),
        (&["well", "fail", "kind=transient"], 1),
        (&["well", "echo"], 2),
        (&["well", "echo", "text=a", "times=many"], 2),
        (&["well", "sing"], 2),
        (&["well", "nap", "seconds=30", "--timeout", "0.3"], 1),
        (&["segfault", "crash"], 1),
    ] {
        let embedded = Cli::new(&[&["call"], args, &["--json"]].concat()).run();
        let remote = ask(&server, &[&["call", "--server", "--json"], args].concat());
        assert_eq!((embedded.code, remote.code), (code, code), "{args:?}: {}", remote.stdout);
        let (mut embedded, mut remote) = (embedded.json(), remote.json());
        for document in [&mut embedded, &mut remote] {
            assert!(document["ok"] == false || document["execution_time_ms"].is_number(), "{document}");
            document["execution_time_ms"] = Value::Null;
            document["traceback"] = json!(document["traceback"].is_string());
        }
        let fields =
            ["ok", "result", "error_type", "category", "exit_reason", "traceback", "execution_time_ms"];
        for field in fields {
            assert_eq!(embedded[field], remote[field], "{args:?}: {field}");
        }
        if args[0] == "segfault" {
            ok(&server, &["plugin", "restart", "segfault"]);
        }
    }
    let remote = ask(&server, &["call", "--server", "import_error", "x"]);
    assert_eq!(remote.code, 4, "{}", remote.stderr);
    says(&remote.stderr, &["ModuleNotFoundError", "hint:", "hardpoint.toml"]);
    let nobody = ask(&server, &["call", "--server", "nobody", "x"]);
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    server.stop();
}

#[test]
fn a_person_sees_the_result_of_a_served_call_as_of_an_embedded_one() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    assert_eq!(ok(&server, &["call", "--server", "well", "echo", "text=hello"]).stdout, "hello\n");
    let out = server.here().join("results");
    let args = ["call", "--server", server.url(), "well", "big", "n_bytes=100000", "--out", "results"];
    says(&ok(&server, &args).stdout, &["results/result", "(100.0 KB)"]);
    assert_eq!(fs::read_dir(out).unwrap().count(), 1);
    let failed = ask(&server, &["call", "--server", "well", "fail", "kind=fatal"]);
    says(
        &failed.stderr,
        &["the model is broken (FatalError)", "Traceback", "hint:", "hardpoint plugin logs well"],
    );
    server.stop();
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    let data = tempfile::tempdir().unwrap();
    for args in [
        &["plugin", "health"][..],
        &["plugin", "audit"],
        &["plugin", "restart", "x"],
        &["call", "--server", "a", "b"],
    ] {
        let mut cli = Cli::new(args);
        cli.command.env("HARDPOINT_DATA_DIR", data.path()).env("HARDPOINT_LISTEN", "127.0.0.1:1");
        let answer = cli.run();
        assert_eq!(answer.code, 6, "{args:?}: {}", answer.stderr);
        says(&answer.stderr, &["no server answers at http://127.0.0.1:1", "`hardpoint serve`"]);
        assert_eq!(answer.stdout, "");
    }
    let answer = Cli::new(&["plugin", "health", "--server", "127.0.0.1:1", "--json"]).run();
    let document = answer.json();
    assert_eq!(
        (answer.code, &document["ok"], &document["error_type"]),
        (6, &json!(false), &json!("ServerUnreachable"))
    );
    let other = Cli::new(&["db", "check", "--server"]).run();
    assert_eq!(other.code, 2, "{}", other.stderr);
    let https = Cli::new(&["plugin", "health", "--server=https://example.com"]).run();
    assert_eq!(https.code, 2);
    says(&https.stderr, &["wants https", "ssh -L"]);
}

#[test]
fn what_is_no_hardpoint_server_is_told_from_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let _ =
                std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    let answer = Cli::new(&["plugin", "health", "--server", &address]).run();
    assert_eq!(answer.code, 6);
    says(&answer.stderr, &["no Hardpoint server", "hint:"]);
}

#[test]
fn tokens_decide_who_may_do_what_and_refusals_are_explained() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let elsewhere = tempfile::tempdir().unwrap();
    let with_token = |token: &str, args: &[&str]| {
        let mut cli = Cli::new(&[args, &["--server", server.url()]].concat());
        cli.command.env("HARDPOINT_DATA_DIR", elsewhere.path()).env("HARDPOINT_TOKEN", token);
        cli.run()
    };
    let nobody = with_token("", &["plugin", "health"]);
    assert_eq!(nobody.code, 2);
    says(&nobody.stderr, &["refused", "HARDPOINT_TOKEN", "--data-dir"]);
    let wrong = with_token("hp_wrong", &["plugin", "health"]);
    assert_eq!(wrong.code, 2);
    says(&wrong.stderr, &["refused", "of another server"]);
    let made = ok(&server, &["token", "add", "ci", "--scope", "run"]);
    says(&made.stderr, &["not shown again"]);
    let token = made.stdout.trim();
    wait_until("the server knows the token", PATIENCE, || with_token(token, &["plugin", "health"]).code == 0);
    assert_eq!(with_token(token, &["call", "well", "echo", "text=a"]).stdout, "a\n");
    let refused = with_token(token, &["plugin", "restart", "well"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    says(&refused.stderr, &["refused", "hint:"]);
    says(&ok(&server, &["token", "list"]).stdout, &["NAME", "ci", "run"]);
    assert_eq!(ok(&server, &["token", "list", "--json"]).json()[0]["name"], "ci");
    let again = ask(&server, &["token", "add", "ci", "--scope", "read"]);
    assert_eq!(again.code, 2);
    says(&again.stderr, &["there is a token `ci` already", "hint:"]);
    ok(&server, &["token", "remove", "ci"]);
    wait_until("the token is refused", PATIENCE, || with_token(token, &["plugin", "health"]).code == 2);
    assert_eq!(ask(&server, &["token", "remove", "ci"]).code, 2);
    server.stop();
}

/// A command that goes on; its lines as they come.
fn following(server: &Server, args: &[&str]) -> (Child, impl FnMut() -> String + use<>) {
    let mut child = asking(server, args).start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, move || lines.next().expect("it ended").unwrap())
}

#[test]
fn watching_tells_each_change_once_and_ctrl_c_ends_it_well() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (child, mut line) = following(&server, &["plugin", "health", "--watch"]);
    assert_eq!(line(), "well[1] INITIALIZED live");
    ok(&server, &["plugin", "unload", "well"]);
    let changed = line();
    assert!(changed.contains("LOADED - it is not loaded"), "{changed}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(Answer::of(child).code, 0);
    let (child, mut line) = following(&server, &["plugin", "health", "well", "--watch", "--json"]);
    let document: Value = serde_json::from_str(&line()).unwrap();
    assert_eq!(document["state"], "LOADED");
    server.stop();
    assert_eq!(Answer::of(child).code, 6);
}

#[test]
fn following_a_log_shows_each_line_once() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let (child, mut line) = following(&server, &["plugin", "logs", "well", "--follow", "--json"]);
    let mut next =
        move || serde_json::from_str::<Value>(&line()).unwrap()["text"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for round in 0..3 {
        ok(&server, &["call", "--server", "well", "log", "lines=2"]);
        let count = |seen: &[String], wanted| seen.iter().filter(|text| text.as_str() == wanted).count();
        while count(&seen, "printed 1") <= round || count(&seen, "logged 1") <= round {
            seen.push(next());
        }
    }
    for text in ["printed 0", "printed 1", "logged 0"] {
        assert_eq!(seen.iter().filter(|seen| seen.as_str() == text).count(), 3, "{text}: {seen:?}");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(Answer::of(child).code, 0);
    server.stop();
}

#[test]
fn the_server_is_found_by_name_by_variable_and_by_the_configured_address() {
    let server = Server::with(&["well"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let address = server.url().trim_start_matches("http://").to_owned();
    let token = server.token();
    let find = |args: &[&str], variable: Option<(&str, &str)>| {
        let mut cli = Cli::new(args);
        cli.command.env("HARDPOINT_DATA_DIR", elsewhere.path()).env("HARDPOINT_TOKEN", &token);
        if let Some((name, value)) = variable {
            cli.command.env(name, value);
        }
        cli.run().code
    };
    assert_eq!(find(&["plugin", "health", "--server", &address], None), 0);
    assert_eq!(find(&["plugin", "health", &format!("--server={}", server.url())], None), 0);
    assert_eq!(find(&["plugin", "health"], Some(("HARDPOINT_SERVER", &address))), 0);
    assert_eq!(find(&["plugin", "health"], Some(("HARDPOINT_LISTEN", &address))), 0);
    server.stop();
}

#[test]
fn a_call_that_is_interrupted_is_ended_on_the_server_too() {
    let server = Serving::of(&["well"]).start();
    server.wait_for("well", "INITIALIZED");
    let child = asking(&server, &["call", "--server", "well", "nap", "seconds=50"]).start();
    server.wait_for("well", "RUNNING");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(Answer::of(child).code, 130);
    server.wait_for("well", "INITIALIZED");
    server.stop();
}
