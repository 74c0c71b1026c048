//! `hardpoint serve`: how it begins, and how it ends.

use crate::support::{Answer, Cli, PATIENCE, Server, Serving, run_tool, shared_data, try_reply};
use hardpoint_testkit::wait_until;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

#[test]
fn it_says_where_it_listens_and_ends_in_order_without_a_trace() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::with(&["well", "import_error"]);
        server.wait_for("well", "INITIALIZED");
        assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
        let note = server.data().join("server.json");
        let expected = format!("{{\"url\":\"{}\",\"pid\":{}}}\n", server.url(), server.pid());
        assert_eq!(fs::read_to_string(&note).unwrap(), expected);
        let data = fs::File::open(server.data()).unwrap();
        server.signal(signal);
        let (status, log) = server.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        let left = rustix::fs::accessat(
            &data,
            "server.json",
            rustix::fs::Access::EXISTS,
            rustix::fs::AtFlags::empty(),
        );
        assert!(left.is_err(), "the note is still there");
    }
}

#[test]
fn with_json_the_first_line_is_a_document() {
    let mut serving = Serving::empty().args(&["--json"]);
    let mut child = serving.command.spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["event"], "listening");
    assert!(said["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_call_in_flight_is_finished_before_it_ends_and_no_other_is_begun() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let address = server.url().trim_start_matches("http://").to_owned();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| run_tool(&server, "well", "sleep", &json!({"seconds": 1.5})));
        server.wait_for("well", "RUNNING");
        server.signal(Signal::TERM);
        wait_until("it takes no connection", PATIENCE, || std::net::TcpStream::connect(&address).is_err());
        let (status, body) = call.join().unwrap();
        assert_eq!((status, &body["result"]), (200, &json!(1.5)), "{body}");
    });
    let (status, log) = server.ended();
    assert_eq!(status.code(), Some(0), "{log}");
}

fn long_call(server: &Server) -> reqwest::RequestBuilder {
    let request = server.client().post(format!("{}/v1/plugins/well/tools/sleep/run", server.url()));
    request.bearer_auth(server.token()).json(&json!({"args": {"seconds": 50}}))
}

#[test]
fn a_call_that_does_not_end_is_given_up_after_the_drain_time() {
    let server = Serving::of(&["well"]).config("stop: {drain_seconds: 0.5, grace_seconds: 0.5}\n").start();
    server.wait_for("well", "INITIALIZED");
    std::thread::scope(|scope| {
        let call = long_call(&server);
        scope.spawn(move || try_reply(call));
        server.wait_for("well", "RUNNING");
        let asked = Instant::now();
        server.signal(Signal::TERM);
        let (status, log) = server.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(asked.elapsed() < Duration::from_secs(15), "it took {:?}\n{log}", asked.elapsed());
        assert!(log.contains("given up"), "{log}");
    });
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_workers_with_it() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Server::with(&["well"]);
        server.wait_for("well", "INITIALIZED");
        std::thread::scope(|scope| {
            let call = long_call(&server);
            scope.spawn(move || try_reply(call));
            server.wait_for("well", "RUNNING");
            server.signal(Signal::TERM);
            wait_until("it is stopping", PATIENCE, || server.log().contains("stopping"));
            server.signal(signal);
            let (status, log) = server.ended();
            assert_eq!(status.code(), Some(code), "{log}");
        });
    }
}

#[test]
fn sighup_changes_nothing() {
    let server = Serving::empty().start();
    server.signal(Signal::HUP);
    assert_eq!(server.get("/v1/health").status, 200);
    server.stop();
}

/// A server that does not come to listen; every word must be in what it says.
fn refused(mut serving: Serving, words: &[&str]) {
    serving.command.stderr(std::process::Stdio::piped());
    let answer = Answer::of(serving.command.spawn().unwrap());
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
    for word in words {
        assert!(answer.stderr.contains(word), "`{word}` is not in\n{}", answer.stderr);
    }
}

#[test]
fn what_keeps_it_from_starting_is_said_with_a_remedy() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let listen = |address: &str| {
        let serving = Serving::empty();
        let (data, plugins) = (serving.data(), serving.plugins());
        let mut cli = Cli::new(&["serve", "--listen", address]);
        cli.command.env("HARDPOINT_DATA_DIR", data).env("HARDPOINT_PLUGINS_DIR", plugins);
        let answer = cli.run();
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        answer.stderr
    };
    for (address, words) in [
        (taken.as_str(), ["in use by another program", "--listen 127.0.0.1:0"]),
        ("8700", ["--listen: must be an IP address and a port", "127.0.0.1:8700"]),
        ("localhost:99", ["--listen: must be an IP address and a port", "127.0.0.1:99"]),
        ("192.0.2.1:0", ["no token", "hardpoint token add"]),
    ] {
        let told = listen(address);
        for word in words.iter().chain(&["hint:"]) {
            assert!(told.contains(word), "{address}: `{word}` is not in\n{told}");
        }
    }
    refused(Serving::empty().config("lisen: x\n"), &["hardpoint.yaml:1: lisen: unknown field", "`listen`"]);
    refused(Serving::empty().env("HARDPOINT_LOG", "=x="), &["`log` (environment HARDPOINT_LOG)", "hint:"]);
    let without = Serving::empty();
    fs::remove_dir(without.plugins()).unwrap();
    refused(without, &["there is no plugins folder at", "hint:", "plugin new"]);
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let serving = Serving::empty();
    let file = serving.data().join("file");
    fs::write(&file, "").unwrap();
    let mut cli = Cli::new(&["serve", "--listen", "127.0.0.1:0"]);
    cli.command.env("HARDPOINT_DATA_DIR", &file).env("HARDPOINT_PLUGINS_DIR", serving.plugins());
    let answer = cli.run();
    assert_eq!(answer.code, 2);
    let words = [&file.display().to_string(), "cannot be used", "--data-dir"];
    assert!(words.iter().all(|word| answer.stderr.contains(*word)), "{}", answer.stderr);
}

#[test]
fn a_token_that_others_can_read_is_not_used() {
    let serving = Serving::empty();
    let token = serving.data().join("token");
    fs::write(&token, "hp_secret\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    refused(serving, &["can be read by others", "chmod 600"]);
}

#[test]
fn a_second_server_on_the_same_data_folder_is_refused_and_told_of_the_first() {
    let first = Server::with(&[]);
    let mut cli = Cli::new(&["serve", "--listen", "127.0.0.1:0"]);
    cli.command.env("HARDPOINT_DATA_DIR", first.data()).env("HARDPOINT_PLUGINS_DIR", first.plugins());
    let answer = cli.run();
    assert_eq!(answer.code, 2);
    let words = ["belongs to another server", first.url(), &format!("process {}", first.pid()), "--data-dir"];
    assert!(words.iter().all(|word| answer.stderr.contains(word)), "{}", answer.stderr);
    assert_eq!(first.get("/v1/health").status, 200);
    first.stop();
}

#[test]
fn the_lock_of_a_killed_server_is_free_again() {
    let serving = Serving::empty();
    let (data, plugins) = (serving.data(), serving.plugins());
    let first = serving.start();
    first.signal(Signal::KILL);
    let kept = tempfile::tempdir().unwrap();
    // The folder of the first goes with it; its files are what the second finds.
    for name in ["server.json", "serve.lock", "token"] {
        fs::copy(data.join(name), kept.path().join(name)).unwrap();
    }
    drop(plugins);
    let (status, _) = first.ended();
    assert_eq!(status.code(), None);
    let health = Cli::new(&["plugin", "health", "--data-dir", kept.path().to_str().unwrap()]).run();
    assert_eq!(health.code, 6, "the note of a dead server was believed: {}", health.stderr);
    let second = Serving::empty();
    for name in ["server.json", "serve.lock", "token"] {
        fs::copy(kept.path().join(name), second.data().join(name)).unwrap();
    }
    second.start().stop();
}

#[test]
fn the_configuration_reaches_the_server() {
    let yaml = "plugins: {well: {enabled: false}, wel: {enabled: true}}\nhttp: {body_mb_max: 1}\nload: {starts_at_once: 1}\n";
    let server = Serving::of(&["well", "segfault"]).config(yaml).env("HARDPOINT_FAIL_ON", "any").start();
    server.wait_for("segfault", "INITIALIZED");
    assert_eq!(server.health("well")["enabled"], false);
    assert!(
        server.log().contains("there are settings for `wel`, but no plugin of this name"),
        "{}",
        server.log()
    );
    let (status, _) = run_tool(&server, "well", "echo", &json!({"text": "a"}));
    assert_eq!(status, 503);
    let (status, _) = run_tool(&server, "segfault", "crash", &json!({"text": "a".repeat(2 << 20)}));
    assert_eq!(status, 413);
    server.stop();
}

#[test]
fn a_service_manager_is_told_when_it_listens_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let name = format!("hardpoint-test-{}", std::process::id());
    let sockets = [
        (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned()),
        (
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
            format!("@{name}"),
        ),
    ];
    for (manager, address) in sockets {
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let hear = || {
            let mut text = [0; 512];
            let length = manager.recv(&mut text).unwrap();
            String::from_utf8(text[..length].to_vec()).unwrap()
        };
        let server = Serving::empty().env("NOTIFY_SOCKET", &address).start();
        assert_eq!(hear(), format!("READY=1\nSTATUS=listening on {}\n", server.url()));
        server.signal(Signal::TERM);
        assert!(hear().starts_with("STOPPING=1\nSTATUS="));
        assert_eq!(server.ended().0.code(), Some(0));
    }
}

#[test]
fn a_service_manager_that_is_not_there_stops_nothing() {
    let server = Serving::empty().env("NOTIFY_SOCKET", "/nowhere/notify").start();
    wait_until("it is logged", PATIENCE, || server.log().contains("service manager at /nowhere/notify"));
    server.stop();
}

#[test]
fn the_log_names_plugin_and_incarnation_and_is_kept_tame() {
    let server = Server::with(&["import_error"]);
    server.wait_for("import_error", "FAILED");
    let log = server.log();
    assert!(log.contains("import_error[1] "), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20") || line.starts_with("  | ")), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
    server.stop();
    let quiet = Serving::empty().env("HARDPOINT_LOG", "off").start();
    assert_eq!(quiet.log(), "");
    quiet.stop();
    // What is shared is not touched by servers with folders of their own.
    assert!(!shared_data().join("server.json").exists());
}
