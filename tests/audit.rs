//! `hardpoint plugin audit`: a truthful host passes, a lying one does not.

use crate::support::{Answer, Cli, Server};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn audit(server: &Server, args: &[&str]) -> Answer {
    let mut cli = Cli::new(&[&["plugin", "audit"], args].concat());
    cli.command.env("HARDPOINT_DATA_DIR", server.data());
    cli.run()
}

#[test]
fn what_a_host_says_about_good_and_broken_plugins_holds() {
    let server = Server::with(&["well", "segfault", "import_error", "validate_missing_model"]);
    for (plugin, state) in [
        ("well", "INITIALIZED"),
        ("segfault", "INITIALIZED"),
        ("import_error", "FAILED"),
        ("validate_missing_model", "UNAVAILABLE"),
    ] {
        server.wait_for(plugin, state);
    }
    assert_eq!(server.post("/v1/plugins/segfault/tools/crash/run", Some(&json!({"args": {}}))).status, 502);
    let answer = audit(&server, &["--json"]);
    let report = answer.json();
    assert_eq!(
        (answer.code, &report["findings"], &report["ok"]),
        (0, &json!([]), &json!(true)),
        "{report:#}"
    );
    assert_eq!((&report["plugins"], &report["processes_checked"]), (&json!(4), &json!(true)));
    let down: Vec<&str> =
        report["down"].as_array().unwrap().iter().map(|one| one["plugin"].as_str().unwrap()).collect();
    assert_eq!(down, ["import_error", "segfault", "validate_missing_model"]);
    let told = audit(&server, &[]).stdout;
    for word in [
        "4 plugins",
        "1 INITIALIZED, 2 FAILED, 1 UNAVAILABLE",
        "! import_error: FAILED",
        "what the host says holds",
    ] {
        assert!(told.contains(word), "`{word}` is not in\n{told}");
    }
    let strict = audit(&server, &["--strict"]);
    assert_eq!(strict.code, 1);
    assert!(strict.stdout.contains("3 findings"), "{}", strict.stdout);
    assert_eq!(audit(&server, &["well", "--strict"]).code, 0);
    assert_eq!(audit(&server, &["nobody"]).code, 2);
    server.stop();
}

#[test]
fn a_host_passes_while_it_is_busy() {
    let server = Server::with(&["well", "import_error"]);
    server.wait_for("well", "INITIALIZED");
    std::thread::scope(|scope| {
        let stirring = scope.spawn(|| {
            for _ in 0..5 {
                server.post("/v1/plugins/well/restart", None);
                server.post("/v1/plugins/import_error/restart", None);
            }
        });
        while !stirring.is_finished() {
            let answer = audit(&server, &[]);
            assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
        }
    });
    server.stop();
}

/// One plugin as a truthful host shows it.
fn healthy(name: &str) -> Value {
    json!({"name": name, "state": "INITIALIZED", "reason": null, "hint": null, "version": "1.0.0",
        "description": "", "uptime_seconds": 3.5, "last_used": null, "success_count": 2, "error_count": 0,
        "instance": name, "incarnation": 1, "pid": 4, "exit_reason": null, "restarts": 0, "restart_at": null,
        "enabled": true, "starting": null, "calls_in_flight": 0, "liveness": "live", "unresponsive_since": null,
        "main_thread_stuck_since": null, "last_execution_time_ms": null, "avg_execution_time_ms": null,
        "p95_execution_time_ms": null, "memory_limit_bytes": 1, "memory_enforced_by": "sampler"})
}

/// A host that says of plugin `a` what it is told to say: in the list, in its health, in its details.
fn lying(list: Value, health: Value, detail: Value, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let unknown = json!({"detail": "there is no such plugin", "status": 404});
    let answer = Arc::new(move |path: &str| match path {
        "/v1/plugins" => (200, list.to_string()),
        "/v1/plugins/a/health" => (200, health.to_string()),
        "/v1/plugins/a" => (200, detail.to_string()),
        _ => (404, unknown.to_string()),
    });
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let answer = Arc::clone(&answer);
            // A client may open a second connection before it has used the first.
            std::thread::spawn(move || {
                while let Some(path) = request(&stream) {
                    let (status, body) = answer(&path);
                    std::thread::sleep(pause);
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
                }
            });
        }
    });
    address
}

/// The path of the next request on a connection.
fn request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    lines.find(String::is_empty)?;
    first.split(' ').nth(1).map(str::to_owned)
}

#[test]
fn a_lie_is_found_wherever_it_is_told() {
    let with = |changes: Value| {
        let mut document = healthy("a");
        for (field, value) in changes.as_object().unwrap() {
            document[field] = value.clone();
        }
        document
    };
    let truth = || healthy("a");
    let failed =
        || with(json!({"state": "FAILED", "reason": "it broke", "uptime_seconds": null, "pid": null}));
    for (list, health, detail, rule) in [
        (json!([truth()]), truth(), truth(), None),
        (json!([with(json!({"state": "ASLEEP"}))]), truth(), truth(), Some("state")),
        (json!([truth()]), with(json!({"error_count": -1})), truth(), Some("count")),
        (json!([truth()]), truth(), with(json!({"success_count": 1})), Some("disagreement")),
        (json!([failed()]), truth(), truth(), Some("disagreement")),
        (json!([truth()]), with(json!({"state": "FAILED"})), truth(), Some("reason")),
        (json!([truth()]), with(json!({"pid": null})), truth(), Some("worker")),
        (json!([truth(), truth()]), truth(), truth(), Some("list")),
        (json!([truth(), healthy("b")]), truth(), truth(), Some("disagreement")),
        (json!({"a": truth()}), truth(), truth(), Some("list")),
    ] {
        let address = lying(list, health, detail, Duration::ZERO);
        let answer = Cli::new(&["plugin", "audit", "--json", "--server", &address]).run();
        let report = answer.json();
        assert_eq!(answer.code, i32::from(rule.is_some()), "{rule:?}: {report:#}");
        let findings = report["findings"].as_array().unwrap();
        assert!(
            rule.is_none() || findings.iter().any(|finding| finding["rule"] == rule.unwrap()),
            "{report:#}"
        );
    }
}

#[test]
fn an_answer_after_a_second_is_a_finding() {
    let address = lying(json!([healthy("a")]), healthy("a"), healthy("a"), Duration::from_millis(1100));
    let answer = Cli::new(&["plugin", "audit", "--server", &address]).run();
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.contains("ms to answer (slow)"), "{}", answer.stdout);
}
