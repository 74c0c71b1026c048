"""Plugins of the cjm contract, made with its real package, which is installed for these tests alone."""

from __future__ import annotations

import os
import sys
from typing import Any, Iterator

import pytest
from driver import Worker, wait_until
from foreign import environment, folder

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="cjm-plugin-system needs Python 3.12")

WHOLE = {"directory": folder("cjm-whole"), "dialect": "cjm", "name": "cjm-whole", "version": "0.0.9"}


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment with the contract's package and nothing of what its own server needs."""
    place = tmp_path_factory.mktemp("cjm") / "env"
    return environment(place, "cjm-plugin-system==0.0.34", alone=True)


@pytest.fixture(params=[1, 4], ids=["one-at-a-time", "four-at-a-time"])
def whole(python: str, request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker("cjm_whole:WholePlugin", python=python, concurrency=request.param, **WHOLE) as started:
        yield started


def do(worker: Worker, action: str, **named: Any) -> Any:
    answer = worker.call("execute", {"kwargs": {"action": action, **named}})
    assert answer["type"] == "result", answer
    return answer["result"]


def told(worker: Worker, kind: str) -> list[dict]:
    return [message for message in worker.seen if message["type"] == kind]


def progress_of(worker: Worker, call_id: int) -> list[tuple]:
    return [(m["fraction"], m["message"]) for m in told(worker, "progress") if m["id"] == call_id]


def progressed(worker: Worker, call_id: int) -> dict:
    return worker.until(lambda message: message["type"] == "progress" and message["id"] == call_id)


# Loading.


def test_it_is_known_by_its_manifest_and_offers_execute_a_stream_and_its_actions(whole):
    assert whole.ready["plugin"] == {
        "name": "cjm-whole",
        "version": "0.0.9",
        "description": "Does a bit of everything.",
    }
    tools = {tool["name"]: tool for tool in whole.ready["tools"]}
    assert set(tools) == {
        "execute",
        "execute_stream",
        "say",
        "trace",
        "work",
        "poll",
        "fail",
        "result",
        "fresh",
    }
    assert tools["execute_stream"]["streaming"] and not tools["execute"]["streaming"]
    assert tools["say"]["description"] == "Say it."
    assert whole.call("say", {"text": "a", "b": 2})["result"] == {
        "text": "a", "more": {"b": 2}, "name": "whole_by_itself",
    }  # fmt: skip


def test_the_package_is_the_plugins_own_and_its_server_is_not_needed(whole):
    assert do(whole, "modules") == []


def test_initialize_runs_exactly_once_after_the_constructor(whole):
    assert do(whole, "trace")["trace"] == ["constructor", "initialize"]


def test_no_config_means_the_schemas_defaults_and_an_empty_one_is_a_config(python):
    with Worker("cjm_whole:WholePlugin", python=python, initialize=False, **WHOLE) as worker:
        worker.receive()
        assert worker.request("initialize", config=None)["type"] == "result"
        assert do(worker, "trace")["config"]["beams"] == 5


def test_the_environment_it_wants_is_told_without_secrets(python):
    with Worker("cjm_whole:WholePlugin", python=python, **WHOLE) as worker:
        key, device = worker.ready["facts"]["worker_env"]
        assert key == {
            "name": "WHOLE_KEY", "secret": True, "required": True, "satisfied": False, "label": "Key",
            "description": "", "default": None, "options": None,
        }  # fmt: skip
        assert (device["default"], device["options"], device["satisfied"]) == ("cpu", ["cpu", "cuda"], True)
        assert worker.ready["facts"]["missing_required"] == ["WHOLE_KEY"]
    with Worker("cjm_whole:WholePlugin", python=python, env={"WHOLE_KEY": "x"}, **WHOLE) as worker:
        assert worker.ready["facts"]["missing_required"] == []


def test_the_schema_comes_with_the_hash_that_manifests_know_it_by(whole):
    import hashlib
    import json

    schema = whole.ready["facts"]["config_schema"]
    assert schema["properties"]["beams"] == {"type": "integer", "default": 5, "minimum": 1, "maximum": 9}
    assert schema["properties"]["options"]["type"] == "string"
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    assert whole.ready["facts"]["config_schema_hash"] == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


# Config.

WRONG = [
    ({"beams": "five"}, ["beams"]), ({"beams": 0}, ["beams"]), ({"beams": 10}, ["beams"]), ({"beams": True}, ["beams"]),
    ({"language": "klingon"}, ["language"]), ({"tag": "a"}, ["tag"]), ({"tag": "abcde"}, ["tag"]),
    ({"tag": "A1"}, ["tag"]), ({"tag": 123}, ["tag"]), ({"contact": "nobody"}, ["contact"]), ({"limit": "x"}, ["limit"]),
    ({"beams": 0, "tag": "a", "colour": 1}, ["beams", "colour", "tag"]),
]  # fmt: skip


def test_a_config_of_wrong_types_or_values_is_refused_with_all_its_fields(python):
    with Worker("cjm_whole:WholePlugin", python=python, initialize=False, **WHOLE) as worker:
        worker.receive()
        for config, fields in WRONG:
            error = worker.request("initialize", config=config)["error"]
            assert error["error_type"] == "PluginConfigError" and error["category"] == "user_input", config
            assert sorted(error["fields_invalid"]) == fields, config
        good = {"beams": 9, "tag": "abcd", "options": {"a": 1}, "limit": None, "contact": "x@y"}
        assert worker.request("initialize", config=good)["type"] == "result"
        trace = do(worker, "trace")
        assert trace["config"]["options"] == {"a": 1} and trace["trace"] == ["constructor", "initialize"]


def test_an_unknown_config_key_is_refused_in_the_known_words_and_dropped_when_lenient(python):
    with Worker("cjm_whole:WholePlugin", python=python, initialize=False, **WHOLE) as worker:
        worker.receive()
        error = worker.request("initialize", config={"nope": 1})["error"]
        begin = "Unknown config keys for plugin 'cjm-whole': ['nope']. Accepted keys per manifest config_schema: ['beams',"
        assert error["message"].startswith(begin)
        assert worker.request("initialize", config={"nope": 1, "beams": 2}, lenient=True)["type"] == "result"
        assert "nope" in told(worker, "log")[0]["message"]
        assert do(worker, "trace")["config"]["beams"] == 2


def test_the_schema_that_the_host_gets_allows_every_default(whole):
    schema = whole.ready["config_schema"]
    assert schema["properties"]["options"]["type"] == ["string", "object"]
    assert schema["additionalProperties"] is False


# Reconfiguring.


def test_a_changed_trigger_field_releases_once_and_the_same_value_keeps_what_there_is(whole):
    before = do(whole, "trace")["tokenizer"]
    assert whole.request("reconfigure", old={}, new={"language": "english"})["type"] == "result"
    assert do(whole, "trace")["trace"] == ["constructor", "initialize"]
    assert whole.request("reconfigure", old={}, new={"language": "german"})["type"] == "result"
    after = do(whole, "trace")
    assert after["trace"] == ["constructor", "initialize", "release tokenizer"]
    assert after["config"]["language"] == "german" and after["tokenizer"] == before


def test_a_release_that_fails_does_not_keep_the_others_from_firing(whole):
    new = {"language": "german", "model": "large"}
    assert whole.request("reconfigure", old={}, new=new)["type"] == "result"
    assert set(do(whole, "trace")["trace"][2:]) == {"release tokenizer", "release model"}


def test_a_new_config_replaces_the_old_one(whole):
    whole.request("reconfigure", old={}, new={"beams": 2})
    whole.request("reconfigure", old={"beams": 2}, new={"tag": "xy"})
    config = do(whole, "trace")["config"]
    assert (config["beams"], config["tag"]) == (5, "xy")


def test_a_failed_reconfigure_is_typed_and_leaves_the_config_before(whole):
    error = whole.request("reconfigure", old={}, new={"fail": True})["error"]
    assert (error["category"], error["error_type"]) == ("resource", "PluginResourceError")
    assert error["resource_shortfall"] == {"resource": "gpu_vram_mb", "needed": 4000, "available": 1000}
    assert whole.request("reconfigure", old={}, new={"beams": 99})["error"]["fields_invalid"] == ["beams"]
    assert do(whole, "trace")["config"]["beams"] == 5


# Hooks.


def test_enable_and_disable_fire_on_changes_only(whole):
    for kind in ("enable", "disable", "disable", "enable", "enable"):
        assert whole.request(kind)["type"] == "result"
    assert do(whole, "trace")["trace"][2:] == ["on_disable", "on_enable"]


def test_options_are_told_and_their_failure_is_none_with_a_visible_reason(whole):
    options = whole.request("config_options")["result"]
    small = {"value": "small", "label": "Small", "metadata": {"tokens": 10}}
    assert options == {"model": {"options": [small], "constraints": {"maxLength": 8}}}
    whole.request("reconfigure", old={}, new={"tag": "oops"})
    assert whole.request("config_options")["result"] == {}
    assert any("the list is not to be had" in log["message"] for log in told(whole, "log"))


def test_prefetch_has_progress_and_can_be_cancelled(python):
    with Worker("cjm_whole:WholePlugin", python=python, env={"WHOLE_DEVICE": "slow"}, **WHOLE) as worker:
        worker.next_id += 1
        fetching = worker.next_id
        worker.send({"type": "prefetch", "id": fetching})
        assert progressed(worker, fetching)["message"] == "half of the model"
        worker.cancel(fetching)
        assert worker.answer(fetching)["error"]["error_type"] == "Cancelled"


def test_a_cleanup_that_raises_does_not_keep_the_worker_from_ending_in_order(whole):
    assert whole.request("cleanup")["type"] == "result"
    assert any("cleanup is broken" in log["message"] for log in told(whole, "log"))
    whole.send({"type": "shutdown"})
    assert whole.wait() == 0
    assert "cleanup ran" in whole.text()


# Calls, their progress and their usage.


def test_positional_arguments_arrive(whole):
    assert whole.call("execute", {"args": ["say"], "kwargs": {"text": "b"}})["result"]["text"] == "b"
    assert whole.call("execute", {"action": "say", "text": "c"})["result"]["text"] == "c"


def test_progress_and_usage_are_those_of_the_call_and_the_last_usage_counts(whole):
    call = whole.start("work", {"usage": 4})
    assert whole.answer(call)["result"] == 4
    fractions = progress_of(whole, call)
    assert fractions[0] == (0.0, "step 0") and fractions[-1] == (1.0, "step 3")
    assert len(fractions) == len(set(fractions))
    assert [message["usage"] for message in told(whole, "usage")] == [{"tokens": 5, "pages": 1}]


def test_progress_outside_its_range_is_clamped_with_a_warning_and_minus_one_is_unknown(whole):
    call = whole.start("execute", {"action": "progress", "values": [-1.0]})
    whole.answer(call)
    assert progress_of(whole, call)[0] == (None, "")
    whole.seen.clear()
    call = whole.start("execute", {"action": "progress", "values": [7]})
    whole.answer(call)
    assert [fraction for fraction, _ in progress_of(whole, call)] == [1.0]
    assert [log["level"] for log in told(whole, "log")] == ["warning"]


def test_every_call_begins_fresh(whole):
    assert do(whole, "fresh") == {"cancel": False, "usage": None, "progress": "absent", "callbacks": 1}
    assert do(whole, "work") == 4
    call = whole.start("execute", {"action": "callback"})
    progressed(whole, call)
    whole.cancel(call)
    whole.answer(call)
    assert do(whole, "fresh") == {"cancel": False, "usage": None, "progress": "absent", "callbacks": 1}


def test_progress_usage_and_cancel_of_calls_at_the_same_time_are_kept_apart(python):
    with Worker("cjm_whole:WholePlugin", python=python, concurrency=4, **WHOLE) as worker:
        first, second = worker.start("poll", {"name": "a"}), worker.start("poll", {"name": "b"})
        assert progressed(worker, first)["message"] == "polling a"
        assert progressed(worker, second)["message"] == "polling b"
        worker.cancel(first)
        assert worker.answer(first)["error"]["error_type"] == "Cancelled"
        assert worker.request("ping")["calls_running"] == 1
        worker.cancel(second)
        assert worker.answer(second)["error"]["error_type"] == "Cancelled"
        usage = {message["id"]: message["usage"] for message in told(worker, "usage")}
        assert usage == {first: {"of a": 1}, second: {"of b": 1}}


def test_a_thread_speaks_for_the_call_that_started_it(python):
    with Worker("cjm_whole:WholePlugin", python=python, concurrency=4, **WHOLE) as worker:
        other = worker.start("poll", {"name": "other"})
        progressed(worker, other)
        call = worker.start("execute", {"action": "threads", "name": "mine"})
        worker.answer(call)
        assert (1.0, "from a thread of mine") in progress_of(worker, call)
        assert [m["usage"] for m in told(worker, "usage") if m["id"] == call] == [{"mine": 1}]
        worker.cancel(other)
        worker.answer(other)


# Cancelling.


def test_check_cancel_ends_the_call_as_cancelled(whole):
    call = whole.start("poll")
    progressed(whole, call)
    whole.cancel(call)
    error = whole.answer(call)["error"]
    assert (error["error_type"], error["category"], error["retriable"]) == ("Cancelled", "transient", False)
    assert error["message"] == "Plugin 'whole_by_itself' cancelled by operator"


def test_callbacks_all_run_although_one_raises_and_the_call_may_return(whole):
    call = whole.start("execute", {"action": "callback"})
    progressed(whole, call)
    whole.cancel(call)
    assert whole.answer(call)["result"] == "it was told"
    assert do(whole, "trace")["trace"] == ["constructor", "initialize", "told to stop"]


def test_cancel_signal_to_unwinds_the_call_and_its_own_exception_is_not_a_failure(whole):
    call = whole.start("execute", {"action": "child"})
    pid = int(progressed(whole, call)["message"])
    whole.cancel(call)
    error = whole.answer(call)["error"]
    assert error["error_type"] == "Cancelled" and "the child ended with -15" in error["traceback"]
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the child")


def test_the_plugins_own_word_for_cancelled_without_a_cancel_is_an_error_not_to_be_tried_again(whole):
    error = whole.call("fail", {"kind": "cancelled"})["error"]
    assert (error["error_type"], error["category"], error["retriable"]) == (
        "PluginCancelledError",
        "transient",
        False,
    )


# Errors.

ERRORS = [
    ("input", "PluginInputError", "user_input", True), ("transient", "PluginTransientError", "transient", True),
    ("resource", "PluginResourceError", "resource", True), ("fatal", "PluginFatalError", "fatal", False),
    ("config", "PluginConfigError", "user_input", True), ("disabled", "PluginDisabledError", "user_input", True),
    ("timeout", "PluginTimeoutError", "transient", True), ("oom", "WorkerOOMError", "resource", True),
    ("key", "KeyError", "user_input", True), ("exit", "SystemExit", "fatal", False), ("index", "IndexError", "fatal", False),
]  # fmt: skip


def test_errors_keep_their_type_and_their_fields(whole):
    found = {}
    for kind, name, category, retriable in ERRORS:
        error = found[kind] = whole.call("fail", {"kind": kind})["error"]
        assert (error["error_type"], error["category"], error["retriable"]) == (name, category, retriable)
        assert "_do_fail" in error["traceback"]
    assert found["input"]["fields_invalid"] == ["page"] and found["config"]["fields_invalid"] == ["colour"]
    assert found["transient"]["retry_after_seconds"] == 2.5
    assert found["resource"]["resource_shortfall"] == {
        "resource": "gpu_vram_mb",
        "needed": 4000,
        "available": 1000,
    }
    assert found["key"]["message"] == "'node_id'"
    assert found["timeout"]["message"] == "Plugin 'whole' timed out after 1.2s"


# Results.


def test_results_are_encoded_as_the_contract_says(whole):
    assert do(whole, "result", kind="nested") == [{"when": "2026-01-02T03:04:05+00:00", "color": "red"}, 1]
    assert do(whole, "result", kind="naive") == "2026-01-02T03:04:05.000006"
    assert do(whole, "result", kind="keys") == {"1": "a", "null": "b", "1.5": "d"}
    assert do(whole, "result", kind="tuple") == [1, [2, 3]]


@pytest.mark.parametrize(
    "kind,text",
    [
        ("set", "set cannot be sent as JSON (at `result.a[1]`)"),
        ("object", "object cannot be sent as JSON (at `result.a.b`)"),
        ("generator", "generator"),
        ("tuple_key", "a key is a tuple"),
    ],
)
def test_a_result_that_cannot_be_sent_is_a_fatal_error_that_names_type_and_place(whole, kind, text):
    error = whole.call("result", {"kind": kind})["error"]
    assert (error["error_type"], error["category"]) == ("ResultNotSerializable", "fatal")
    assert text in error["message"]


def test_numbers_that_json_does_not_know_become_null_with_a_warning(whole):
    assert do(whole, "result", kind="nan") == {"a": None, "b": None}
    assert "2 non-finite numbers" in told(whole, "log")[0]["message"]


def test_bytes_arrive_as_bytes(whole):
    answer = whole.call("result", {"kind": "bytes"})
    assert answer["result"] == {"data": {"$blob": 0}} and answer["_blobs"] == [b"\x00\xff"]


def test_a_result_that_saves_itself_arrives_as_the_path_of_its_file(whole):
    path = do(whole, "result", kind="saved")
    try:
        with open(path, "rb") as file:
            assert file.read() == b"RIFF"
    finally:
        os.unlink(path)


def test_a_plugin_may_run_an_event_loop_of_its_own(whole):
    assert do(whole, "loop") == "ran"


# Streams.


def test_a_stream_has_its_items_its_progress_and_its_usage(whole):
    call = whole.start("execute_stream", {"count": 3})
    assert whole.answer(call)["items"] == 3
    assert [m["item"] for m in told(whole, "item")] == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert progress_of(whole, call)[-1] == (1.0, "item 2")
    assert [m["usage"] for m in told(whole, "usage")] == [{"items": 3}]


def test_a_stream_that_fails_keeps_its_items_and_its_typed_error(whole):
    call = whole.start("execute_stream", {"count": 5, "fail_at": 2})
    error = whole.answer(call)["error"]
    assert (error["error_type"], error["fields_invalid"]) == ("PluginInputError", ["count"])
    assert len(told(whole, "item")) == 2


def test_a_stream_stops_at_its_credit_and_is_closed_when_it_is_cancelled(whole):
    call = whole.start("execute_stream", {"count": 1000}, credit=3)
    for _ in range(3):
        whole.until(lambda message: message["type"] == "item")
    assert whole.request("ping")["calls_running"] == 1 and not told(whole, "item")
    whole.cancel(call)
    assert whole.answer(call)["error"]["error_type"] == "Cancelled"
    assert "stream closed" in whole.text()


def test_an_empty_stream_is_one(whole):
    answer = whole.call("execute_stream", {"count": 0})
    assert (answer["type"], answer["items"]) == ("result", 0)
