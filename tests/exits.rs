//! Whatever a plugin does, its end has one true cause, the command says it, and nothing is left behind.
//!
//! Each case runs twice through the real binary: with `call`, and with `run` as the first stage of a
//! pipeline whose second stage is a well-behaved plugin that must still answer.

use crate::support::{Answer, Cli};
use serde_json::{Value, json};

/// What a case is expected to end as.
enum End {
    /// The worker ended: the kind of its exit reason, and fields that it must have.
    Exit(&'static str, Value),
    /// The worker goes on: the call failed with this error type.
    Error(&'static str),
    /// It was never started, because something it needs is missing.
    Missing,
    /// The call succeeded.
    Ok,
}

#[test]
fn a_segmentation_fault() {
    check("segfault", "crash", &[], &End::Exit("signal", json!({"signal": 11, "name": "SIGSEGV"})));
}

#[test]
fn an_abort() {
    check("segfault", "abort", &[], &End::Exit("signal", json!({"signal": 6, "name": "SIGABRT"})));
}

#[test]
fn os_exit_in_a_tool() {
    check("os_exit", "leave", &[], &End::Exit("exit_code", json!({"code": 42})));
}

#[test]
fn an_endless_loop_in_c() {
    check("c_loop", "spin", &[], &End::Exit("deadline", json!({"tool": "spin", "timeout_ms": 500})));
}

#[test]
fn an_endless_loop_in_python() {
    check("py_loop", "spin", &[], &End::Error("TimeoutError"));
}

#[test]
fn a_loop_that_swallows_every_exception() {
    check("py_loop", "swallow", &[], &End::Exit("deadline", json!({"tool": "swallow"})));
}

#[test]
fn a_tool_that_ignores_sigterm() {
    check("ignores_sigterm", "hang", &[], &End::Exit("deadline", json!({"tool": "hang"})));
}

#[test]
fn fifty_detached_descendants() {
    check("fork_bomb", "spread", &[], &End::Ok);
}

#[test]
fn detached_descendants_and_a_hang() {
    check("fork_bomb", "spread", &["ending=hang"], &End::Error("TimeoutError"));
}

#[test]
fn detached_descendants_and_a_crash() {
    check("fork_bomb", "spread", &["ending=crash"], &End::Exit("signal", json!({"signal": 11})));
}

#[test]
fn a_hundred_megabytes_on_stdout() {
    check("floods_stdout", "flood", &["megabytes=100"], &End::Ok);
}

#[test]
fn half_a_frame() {
    check("half_frame", "half", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn garbage_on_the_socket() {
    check("half_frame", "garbage", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn a_header_that_is_no_json() {
    check("half_frame", "no_json", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn a_length_of_4_gib() {
    check("half_frame", "huge_length", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn an_answer_to_nothing() {
    check("half_frame", "unknown_call", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn a_million_messages() {
    check("half_frame", "message_flood", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn a_closed_socket() {
    check("half_frame", "close_socket", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn every_descriptor_closed() {
    check("half_frame", "close_everything", &[], &End::Exit("protocol_violation", json!({})));
}

#[test]
fn an_import_error() {
    check("import_error", "x", &[], &End::Exit("exit_code", json!({"code": 3})));
}

#[test]
fn sys_exit_at_import() {
    check("exit_at_import", "x", &[], &End::Exit("exit_code", json!({"code": 3})));
}

#[test]
fn os_exit_at_import() {
    check("os_exit_at_import", "x", &[], &End::Exit("exit_code", json!({"code": 9})));
}

#[test]
fn a_segmentation_fault_at_import() {
    check("segfault_at_import", "x", &[], &End::Exit("signal", json!({"signal": 11})));
}

#[test]
fn a_hang_at_import() {
    check(
        "hang_at_import",
        "x",
        &[],
        &End::Exit("startup_timeout", json!({"phase": "importing", "timeout_ms": 2000})),
    );
}

#[test]
fn a_missing_package() {
    check("missing_package", "x", &[], &End::Missing);
}

#[test]
fn a_constructor_that_raises() {
    check("init_error", "x", &[], &End::Exit("own_stop", json!({})));
}

#[test]
fn an_initialize_that_raises() {
    check("initialize_error", "x", &[], &End::Exit("own_stop", json!({})));
}

#[test]
fn a_validate_that_raises() {
    check("validate_error", "x", &[], &End::Exit("own_stop", json!({})));
}

#[test]
fn memory_above_the_limit() {
    check("memory_hog", "allocate", &["mb=600", "hold_seconds=20"], &End::Exit("memory_limit", json!({})));
}

#[test]
fn not_a_number_becomes_null() {
    check("lying_result", "nan", &[], &End::Ok);
}

#[test]
fn an_integer_beyond_64_bits() {
    check("lying_result", "huge_int", &[], &End::Error("ResultNotSerializable"));
}

#[test]
fn a_lone_surrogate() {
    check("lying_result", "surrogate", &[], &End::Error("ResultNotSerializable"));
}

#[test]
fn a_set() {
    check("lying_result", "a_set", &[], &End::Error("ResultNotSerializable"));
}

#[test]
fn nesting_200_deep() {
    check("lying_result", "deep", &[], &End::Error("ResultNotSerializable"));
}

#[test]
fn a_string_of_20_megabytes() {
    check("lying_result", "long_string", &[], &End::Error("ResultNotSerializable"));
}

/// Tools that never end by themselves get half a second; the others may take their time on a busy machine.
fn timeout(tool: &str, args: &[&str]) -> &'static str {
    let endless = ["spin", "swallow", "hang"].contains(&tool) || args.contains(&"ending=hang");
    if endless { "0.5" } else { "60" }
}

fn check(plugin: &str, tool: &str, args: &[&str], end: &End) {
    let timeout = timeout(tool, args);
    let call = [&["call", plugin, tool, "--json", "--timeout", timeout], args].concat();
    judge(&Cli::new(&call).run(), end);

    let config: serde_json::Map<String, Value> = args
        .iter()
        .map(|arg| arg.split_once('=').unwrap())
        .map(|(name, text)| (name.to_owned(), serde_json::from_str(text).unwrap_or_else(|_| text.into())))
        .collect();
    let stages = json!([
        {"plugin": plugin, "tool": tool, "config": config, "timeout_seconds": timeout.parse::<f64>().unwrap()},
        {"plugin": "well", "tool": "echo_value", "config": {"value": {"still": "here"}}},
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.json");
    let definition = json!({"stages": stages, "fail_fast": false, "pass": "merge"});
    std::fs::write(&file, definition.to_string()).unwrap();
    let answer = Cli::new(&["run", file.to_str().unwrap(), "--json"]).run();
    let starts = !matches!(end, End::Exit("own_stop" | "startup_timeout", _)) && tool != "x";
    match end {
        // A result that is no object has no names to pass on; that is its own error, told as such.
        End::Ok => assert!([0, 1].contains(&answer.code), "{}", answer.stderr),
        End::Exit(..) | End::Error(_) | End::Missing => judge(&answer, end),
    }
    if starts {
        let document = answer.json();
        let result = document.get("result").or_else(|| document.get("partial_result")).unwrap();
        assert_eq!(result["still"], "here", "the second plugin did not answer: {document}");
    }
}

fn judge(answer: &Answer, end: &End) {
    let document = answer.json();
    match end {
        End::Ok => {
            assert_eq!((answer.code, &document["ok"]), (0, &json!(true)), "{document}");
        }
        End::Error(error_type) => {
            assert_eq!((answer.code, &document["ok"]), (1, &json!(false)), "{document}");
            assert_eq!(document["error_type"], *error_type, "{document}");
            assert_eq!(document.get("exit_reason"), None, "the worker should have gone on: {document}");
        }
        End::Missing => {
            assert_eq!((answer.code, &document["ok"]), (4, &json!(false)), "{document}");
            assert_eq!(document["error_type"], "PluginUnavailable", "{document}");
        }
        End::Exit(kind, fields) => {
            assert!([1, 4].contains(&answer.code), "exit code {}: {document}", answer.code);
            assert_eq!(document["ok"], false, "{document}");
            let reason = &document["exit_reason"];
            assert_eq!(reason["kind"], *kind, "{document}");
            for (name, value) in fields.as_object().unwrap() {
                assert_eq!(&reason[name], value, "{document}");
            }
        }
    }
}
