"""Plugins of the forgesyte contract that need nothing but the standard library: tools, arguments, results, hooks."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from driver import Gone, Worker, wait_until
from foreign import folder

PLAIN = {"directory": folder("forgesyte-plain"), "dialect": "forgesyte", "name": "plain"}
JOB = {"job_id": "5a0fb75e-3f5e-4d4c-9f6f-2f7f3c0f0a11", "stage": 0, "attempt": 1}


def plain(entry: str, **more: Any) -> Worker:
    return Worker(f"fs_plain.{entry}", **{**PLAIN, **more})


@pytest.fixture(params=[1, 4], ids=["one-at-a-time", "four-at-a-time"])
def results(request: pytest.FixtureRequest):
    with plain("results:Plugin", concurrency=request.param) as started:
        yield started


def reported(worker: Worker, args: dict, **more: Any) -> dict:
    answer = worker.call("report", args, **more)
    assert answer["type"] == "result", answer
    result: dict = answer["result"]
    return result


# Forms of plugins.


def test_class_level_tools_with_function_handlers_and_a_flat_schema_run_with_own_imports_of_both_kinds():
    with plain("reporter:Plugin") as worker:
        assert worker.ready["plugin"] == {
            "name": "reporter",
            "version": "0.2.0",
            "description": "From the manifest.",
        }
        assert [tool["name"] for tool in worker.ready["tools"]] == ["report", "video"]
        assert worker.ready["tools"][0]["description"] == "Reports."
        assert reported(worker, {"device": "gpu"}) == {
            "tool": "report", "kinds": {"device": "str"}, "shown": {"device": "gpu"}, "args": True,
        }  # fmt: skip


def test_only_the_keys_of_tools_can_be_called_although_run_tool_would_take_more():
    with plain("odd:Aliased") as worker:
        assert worker.call("analyze")["result"] == {"kind": "NoneType"}
        assert worker.call("default")["error"]["error_type"] == "ToolNotFound"


def test_alias_keys_extra_keys_and_a_base_class_without_its_constructor_are_accepted():
    with plain("odd:Aliased") as worker:
        assert worker.call("analyze", {"photo": base64.b64encode(b"x").decode()})["result"] == {
            "kind": "bytes"
        }
        assert worker.ready["tools"][0]["description"] == ""


@pytest.mark.parametrize("entry", ["odd:Async", "odd:Awaitable", "odd:Partial"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_async_tools_and_hooks_run_on_one_loop_and_what_is_bound_to_it_survives(entry, concurrency):
    with plain(entry, concurrency=concurrency) as worker:
        assert worker.request("validate")["type"] == "result"
        for number, job in enumerate((None, JOB, None)):
            assert worker.call("next", job=job)["result"] == {
                "number": number,
                "trace": ["validate", "on_load"],
            }


@pytest.mark.parametrize("entry", ["odd:Async", "odd:Awaitable"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_awaitable_can_be_cancelled_and_the_next_call_works(entry, concurrency):
    with plain(entry, concurrency=concurrency) as worker:
        worker.request("validate")
        call = worker.start("next", {"sleep": True})
        wait_until(lambda: worker.request("ping")["calls_running"] == 1)
        worker.cancel(call)
        assert worker.answer(call)["error"]["error_type"] == "Cancelled"
        assert worker.call("next")["result"]["number"] == 0


def test_a_class_that_only_analyzes_has_one_tool_and_may_be_silent_about_itself():
    with plain("odd:Analyzer") as worker:
        assert [tool["name"] for tool in worker.ready["tools"]] == ["analyze"]
        image = base64.b64encode(b"abc").decode()
        for name in ("image_bytes", "image_base64", "image", "frame", "frame_base64"):
            result = worker.call("analyze", {name: image, "width": 3})["result"]
            assert result == {"size": 3, "kind": "bytes", "options": {"width": 3}}
        options = {"image_bytes": {"$blob": 0}, "options": {"a": 1}, "width": 3}
        assert worker.call("analyze", options, blobs=[b"abcd"])["result"] == {
            "size": 4, "kind": "bytes", "options": {"a": 1},
        }  # fmt: skip
        for args in ({}, {"image": 3}, {"image": "abc", "options": 3}):
            error = worker.call("analyze", args)["error"]
            assert (error["error_type"], error["category"]) == ("InvalidArgument", "user_input")


def test_what_metadata_says_of_options_is_shown():
    with plain("odd:Told") as worker:
        assert worker.ready["plugin"]["description"] == "From the manifest."
        assert worker.ready["tools"][0]["input_schema"] == {
            "type": "object", "properties": {"image_bytes": {}, "options": {}},
        }  # fmt: skip
        assert worker.ready["facts"]["tools"]["analyze"]["options"] == {
            "width": {"type": "integer", "min": 1, "max": 9}
        }


def test_a_namespace_package_with_imports_of_its_own_runs_and_its_labels_are_no_identity():
    with Worker("fs_space.plugin:Plugin", folder("forgesyte-space"), dialect="forgesyte") as worker:
        assert worker.ready["plugin"]["name"] == "space"
        facts = worker.ready["facts"]
        assert (facts["manifest"]["id"], facts["manifest"]["name"]) == ("other_id", "Space")
        assert list(facts["tools"]) == ["analyze"]
        assert worker.call("analyze", {"image": ""})["result"]["parts"] == ["relative", "absolute"]


def test_one_object_serves_all_calls():
    with plain("hooks:Recorder") as worker:
        for _ in range(3):
            assert worker.call("trace")["result"] == {"trace": ["constructor"]}


# Arguments.


def test_bytes_arrive_as_bytes_whether_they_came_as_blobs_or_as_base64():
    with plain("reporter:Plugin") as worker:
        text = base64.b64encode(b"\x00\xff").decode()
        args = {"image_bytes": text, "mask": text, "device": text, "other": {"$blob": 0}}
        kinds = reported(worker, args, blobs=[b"x"])["kinds"]
        assert kinds == {"image_bytes": "bytes", "mask": "bytes", "device": "str", "other": "bytes"}


def test_base64_that_is_none_is_the_callers_mistake():
    with plain("reporter:Plugin") as worker:
        for name in ("image_bytes", "mask"):
            error = worker.call("report", {name: "not base64!"})["error"]
            assert (error["error_type"], error["category"]) == ("InvalidArgument", "user_input")
            assert error["fields_invalid"] == [name]


def test_a_direct_call_keeps_the_ways_of_the_old_door_and_any_key_passes():
    with plain("reporter:Plugin") as worker:
        args = {
            "frame_base64": "abc",
            "device": None,
            "annotated": None,
            "tool_fn": "x",
            "other": None,
            "args": 1,
        }
        kinds = reported(worker, args)["kinds"]
        assert kinds == {"frame": "str", "tool_fn": "str", "other": "NoneType", "args": "int"}
        kinds = reported(worker, {"frame_base64": "abc", "device": None}, job=JOB)["kinds"]
        assert kinds == {"frame_base64": "str", "device": "NoneType"}


def test_nothing_is_validated_that_the_old_host_did_not_validate():
    with plain("reporter:Plugin") as worker:
        schema = worker.ready["tools"][0]["input_schema"]
        assert set(schema) == {"type", "properties"}
        assert set(schema["properties"]) == {"image_bytes", "mask", "device"}
        allowed = {"title", "description", "default", "examples"}
        assert all(set(field) <= allowed for field in schema["properties"].values())
        assert schema["properties"]["device"]["default"] == "cpu"
        assert reported(worker, {"device": 7})["kinds"] == {"device": "int"}


@pytest.mark.parametrize("bare", [False, True])
def test_a_video_job_gets_a_callback_that_tells_progress_and_never_raises(bare):
    with plain("reporter:Plugin") as worker:
        call = worker.start("video", {"video_path": "/v.mp4", "bare": bare}, job=JOB)
        assert worker.answer(call)["result"] == {"frames": [None, None, None], "path": "/v.mp4"}
        told = [(m["fraction"], m["message"]) for m in worker.seen if m["type"] == "progress"]
        assert told[-1] == ((None, "3") if bare else (1.0, "3/3"))


def test_only_video_jobs_get_the_callback_and_a_client_cannot_set_it():
    with plain("reporter:Plugin") as worker:
        args = {"video_path": "/v", "progress_callback": "x"}
        assert worker.call("video", args)["result"]["frames"] == []
        assert "progress_callback" not in reported(worker, {"progress_callback": 1}, job=JOB)["kinds"]


# Results.

RESULTS = [
    ("list", {"result": [1, 2]}), ("none", {"result": None}), ("text", {"result": "a"}),
    ("bytes", {"a": "AP8=", "b": "eA==", "c": "eQ=="}), ("set", {"a": [3], "b": [4]}),
    ("keys", {"1": "a", "null": "b", "1.5": "c", "(1, 2)": "d", "false": "e"}),
    ("time", {"a": "2026-01-02T03:04:05", "b": "2026-01-02"}),
    ("things", {"path": "/a/b", "color": "red", "box": {"x": 1, "color": "red"}, "old": {"old": [1, 2]}}),
    ("top_dataclass", {"x": 2, "color": "red"}),
    ("failure_inside", {"error": "invalid_image", "message": "m", "plugin": "p", "tool": "t"}),
]  # fmt: skip


def test_every_result_is_plain_json_and_an_object(results):
    for kind, expected in RESULTS:
        answer = results.call("result", {"kind": kind})
        assert answer["result"] == expected and not answer["_blobs"], kind


def test_nan_never_leaves_the_worker(results):
    assert results.call("result", {"kind": "nan"})["result"] == {"a": None, "b": [None]}


@pytest.mark.parametrize(
    "kind,place", [("object", "result.a[1].b"), ("class", "result.a"), ("circle", "result[0][0]")]
)
def test_a_result_that_cannot_be_sent_names_the_place(results, kind, place):
    error = results.call("result", {"kind": kind})["error"]
    assert error["error_type"] == "ResultNotSerializable" and place in error["message"]
    assert results.call("result", {"kind": "list"})["type"] == "result"


def test_a_large_result_arrives_and_one_beyond_the_frame_is_a_typed_error(results):
    assert len(results.call("result", {"kind": "rather_large"})["result"]["text"]) == 10 << 20
    assert results.call("result", {"kind": "large"})["error"]["error_type"] == "ResultNotSerializable"
    assert results.call("result", {"kind": "list"})["type"] == "result"


# Failures of tools.

FAILURES = [
    ("ValueError", "user_input"), ("Custom", "user_input"), ("KeyError", "user_input"), ("TimeoutError", "transient"),
    ("RecursionError", "fatal"), ("RuntimeError", "fatal"), ("MemoryError", "resource"), ("SystemExit", "fatal"),
    ("KeyboardInterrupt", "fatal"), ("GeneratorExit", "fatal"),
]  # fmt: skip


def test_every_exception_keeps_its_exact_class_and_the_worker_lives_on(results):
    for kind, category in FAILURES:
        error = results.call("fail", {"kind": kind})["error"]
        assert (error["error_type"], error["category"]) == (kind, category)
    assert results.call("result", {"kind": "list"})["type"] == "result"


@pytest.mark.parametrize("how,code", [("exit", 7), ("null", -11), ("kill", -9)])
def test_a_tool_that_ends_its_process_ends_nothing_else(how, code):
    with plain("results:Plugin") as worker, plain("results:Plugin") as other:
        worker.start("die", {"how": how})
        with pytest.raises((Gone, ConnectionResetError)):
            while True:
                worker.receive()
        assert worker.wait() == code
        assert other.call("result", {"kind": "list"})["type"] == "result"


def test_a_sleeping_tool_that_ignores_sigterm_is_interrupted_and_the_worker_lives_on(results):
    for how in ("sleep", "spin") if results.concurrency == 1 else ("spin",):
        call = results.start("sleep", {"how": how} if results.concurrency == 1 else {"how": "x"})
        if results.concurrency > 1:
            # Only the main thread may set signal handlers.
            assert results.answer(call)["error"]["error_type"] == "ValueError"
            return
        wait_until(lambda: results.request("ping")["calls_running"] == 1)
        results.cancel(call, "interrupt")
        assert results.answer(call)["error"]["error_type"] == "Cancelled"


def test_children_and_memory_of_a_tool_leave_the_worker_as_it_was(results):
    pids = results.call("children")["result"]["result"]
    assert len(pids) == 3 and all(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert results.call("allocate", {"megabytes": 64})["result"] == {"result": 64 << 20}
    with open(f"/proc/{results.process.pid}/statm") as file:
        assert int(file.read().split()[1]) * 4096 < 64 << 20


def test_a_megabyte_on_both_streams_leaves_the_result_intact_and_extras_are_kept_in_the_log():
    with plain("results:Plugin") as worker:
        assert worker.call("say", {"size": 1 << 20})["result"] == {"said": 1 << 20, "stdin": ""}
        output = worker.text()
        assert "o" * (1 << 20) in output and "e" * (1 << 20) in output
        log = next(message for message in worker.seen if message["type"] == "log")
        assert (log["logger"], log["message"]) == ("talks", f"in words tool=say size={1 << 20}")


# Hooks.


def trace(worker: Worker) -> list:
    hooks: list = worker.call("trace")["result"]["trace"]
    return hooks


def test_validate_and_on_load_run_once_in_this_order_and_on_unload_at_the_end():
    with plain("hooks:Recorder") as worker:
        assert worker.request("validate")["type"] == "result"
        assert trace(worker) == ["constructor", "validate", "on_load"]
        assert worker.request("cleanup")["type"] == "result"
        assert trace(worker)[3:] == ["on_unload"]


def test_a_reload_is_a_fresh_start_that_is_told_to_the_plugin():
    with plain("hooks:Recorder", reload=True) as worker:
        worker.request("validate")
        assert trace(worker) == ["constructor", "validate", "on_load", "on_reload"]


@pytest.mark.parametrize("hook", ["validate", "on_load"])
def test_a_validate_or_on_load_that_raises_fails_the_start(hook):
    with plain("hooks:Recorder", env={"FAILING_HOOKS": hook}) as worker:
        error = worker.request("validate")["error"]
        assert (error["error_type"], error["message"]) == ("RuntimeError", f"{hook} is broken")


def test_an_on_unload_or_on_reload_that_raises_is_only_told():
    with plain("hooks:Recorder", env={"FAILING_HOOKS": "on_unload,on_reload"}, reload=True) as worker:
        assert worker.request("validate")["type"] == worker.request("cleanup")["type"] == "result"
        told = [message["message"] for message in worker.seen if message["type"] == "log"]
        assert told == [
            "on_reload() raised RuntimeError: on_reload is broken",
            "on_unload() raised RuntimeError: on_unload is broken",
        ]


def test_requests_that_the_contract_does_not_have_do_nothing():
    with plain("hooks:Recorder") as worker:
        for kind in ("prefetch", "enable", "disable"):
            assert worker.request(kind)["type"] == "result"
        assert worker.request("reconfigure", old={}, new={})["type"] == "result"
        assert worker.request("config_options")["result"] == {}
        assert trace(worker) == ["constructor"]
