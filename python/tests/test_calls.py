"""Calls, hooks, errors: what a host gets back."""

from __future__ import annotations

import json
import os

import pytest
from driver import HERE, Gone, Worker

WIRE = os.path.join(HERE, "..", "..", "tests", "wire")


def snapshot(kind: str) -> dict:
    with open(os.path.join(WIRE, f"{kind}.json"), encoding="utf-8") as file:
        return json.load(file)


def same_shape(message: dict, kind: str) -> None:
    expected = snapshot(kind)
    assert set(message) - {"_blobs"} | {"blobs"} == set(expected) | {"blobs"}
    assert message["type"] == kind


def test_a_call_is_answered(either):
    answer = either.call("echo", {"text": "hü", "times": 2})
    assert answer["result"] == {"text": "hühü"}
    assert answer["items"] == 0 and answer["execution_time_ms"] >= 0


def test_messages_have_the_fields_of_the_wire_examples(worker):
    # This dialect has nothing to tell besides.
    same_shape({**worker.ready, "facts": {}}, "ready")
    assert set(worker.ready["tools"][0]) == set(snapshot("ready")["tools"][0])
    same_shape(worker.call("echo", {"text": "a"}), "result")
    error = worker.call("fail", {"kind": "input"})
    same_shape(error, "error")
    assert set(error["error"]) == set(snapshot("error")["error"])
    worker.call("tell")
    by_kind = {message["type"]: message for message in worker.seen}
    for kind in ("progress", "log", "usage"):
        same_shape(by_kind[kind], kind)
    worker.call("numbers", {"count": 1})
    same_shape(worker.seen[-1], "item")
    same_shape(worker.request("ping"), "pong")


def test_every_host_message_of_the_wire_examples_is_understood():
    with Worker(hello=False) as worker:
        hello = snapshot("hello")
        hello["plugin"].update(dir=os.path.join(HERE, "plugins"), entry="sample:Sample")
        hello["concurrency"] = 1
        worker.send(hello)
        assert worker.receive()["type"] == "ready"
        for kind in (
            "initialize",
            "validate",
            "prefetch",
            "reconfigure",
            "enable",
            "disable",
            "config_options",
        ):
            message = snapshot(kind)
            worker.send(message)
            assert worker.answer(message["id"])["type"] == "result", kind
        for kind in ("cancel", "credit"):
            worker.send(snapshot(kind))
        assert worker.request("ping")["type"] == "pong"
        worker.send(snapshot("shutdown"))
        assert worker.wait() == 0


def test_unknown_fields_are_ignored(worker):
    assert worker.call("echo", {"text": "a"}, extra={"x": 1})["result"] == {"text": "a"}


def test_all_invalid_fields_are_named(either):
    error = either.call("echo", {"times": "2", "txt": "a"})["error"]
    assert error["category"] == "user_input" and error["error_type"] == "InputError"
    assert sorted(error["fields_invalid"]) == ["text", "times", "txt"]
    assert error["retriable"] is True


def test_an_unknown_tool_is_refused_by_name(worker):
    error = worker.call("nope")["error"]
    assert error["error_type"] == "ToolNotFound" and "echo" in error["message"]


ERRORS = [
    ("key", "user_input", "KeyError"), ("value", "user_input", "ValueError"),
    ("file", "user_input", "FileNotFoundError"), ("timeout", "transient", "TimeoutError"),
    ("asyncio_timeout", "transient", "TimeoutError"), ("os", "transient", "OSError"),
    ("connection", "transient", "ConnectionResetError"), ("memory", "resource", "MemoryError"),
    ("zero", "fatal", "ZeroDivisionError"), ("exit", "fatal", "SystemExit"),
    ("interrupt", "fatal", "KeyboardInterrupt"), ("unprintable", "fatal", "Unprintable"),
    ("input", "user_input", "InputError"), ("transient", "transient", "TransientError"),
    ("resource", "resource", "ResourceError"), ("surrogate", "user_input", "ValueError"),
]  # fmt: skip


def test_exceptions_become_typed_errors(either):
    for kind, category, name in ERRORS:
        error = either.call("fail", {"kind": kind})["error"]
        assert (error["category"], error["error_type"]) == (category, name), kind
        assert error["retriable"] is (category != "fatal")
        assert error["message"] and error["original_exc_repr"]
        assert "errors()[kind]" in error["traceback"] and "_worker" not in error["traceback"]
        assert error["plugin_name"] == "sample" and error["plugin_instance_id"] == "sample-1"
    assert either.call("fail", {"kind": "input"})["error"]["fields_invalid"] == ["a", "b"]
    assert either.call("fail", {"kind": "transient"})["error"]["retry_after_seconds"] == 2.5
    shortfall = either.call("fail", {"kind": "resource"})["error"]["resource_shortfall"]
    assert shortfall == {"resource": "gpu", "needed": 8, "available": 2}


def test_long_errors_are_cut(worker):
    error = worker.call("fail", {"kind": "long"})["error"]
    assert len(error["message"].encode()) <= 16 << 10
    assert len(error["traceback"].encode()) <= 64 << 10
    assert "bytes cut" in error["traceback"]


def test_a_system_exit_in_a_coroutine_is_an_error(either):
    error = either.call("async_exit")["error"]
    assert (error["category"], error["error_type"]) == ("fatal", "SystemExit")
    assert either.call("nap", {"seconds": 0})["result"] == "napped"


def test_hooks_answer(either):
    assert either.request("validate")["result"] is None
    assert either.request("config_options")["result"] == {"language": ["deu", "eng"]}
    assert either.request("reconfigure", old={}, new={"a": {"$value": {"$blob": 1}}})["type"] == "result"
    assert either.call("state")["result"]["config"] == {"a": {"$value": {"$blob": 1}}}
    assert either.request("cleanup")["type"] == "result"


def test_calls_before_initialize_are_refused():
    with Worker(initialize=False) as worker:
        worker.receive()
        assert worker.call("echo", {"text": "a"})["error"]["error_type"] == "NotInitialized"
        assert worker.request("validate")["error"]["error_type"] == "NotInitialized"


def test_requests_may_be_sent_ahead():
    with Worker(initialize=False) as worker:
        worker.receive()
        worker.next_id += 1
        worker.send({"type": "initialize", "id": worker.next_id, "config": {"a": 1}})
        ids = [worker.start("echo", {"text": str(n)}) for n in range(200)]
        answers = [worker.answer(call_id)["result"]["text"] for call_id in ids]
        assert answers == [str(n) for n in range(200)]


def test_ping_is_answered_while_a_call_runs(either):
    call_id = either.start("spin", {"seconds": 20})
    pong = {}
    while pong.get("calls_running") != 1:
        pong = either.request("ping")
    waiting = [either.start("sleep", {"seconds": 20}) for _ in range(5)]
    pong = either.request("ping")
    assert pong["calls_running"] + pong["calls_waiting"] == 6
    assert pong["main_thread_busy_ms"] > 0
    either.cancel(call_id, "interrupt")
    assert either.answer(call_id)["error"]["error_type"] == "Cancelled"
    del waiting


def test_an_unknown_message_is_answered_with_its_id(worker):
    worker.send({"type": "dance", "id": 77})
    answer = worker.answer(77)
    assert answer["error"]["error_type"] == "UnknownMessage"
    worker.send({"type": "dance"})
    assert worker.answer(0)["error"]["error_type"] == "UnknownMessage"
    assert worker.call("echo", {"text": "a"})["type"] == "result"


def test_calls_run_side_by_side_up_to_the_concurrency():
    with Worker(concurrency=4) as worker:
        ids = [worker.start("meet", {"parties": 4}) for _ in range(4)]
        assert [worker.answer(call_id)["type"] for call_id in ids] == ["result"] * 4
        naps = [worker.start("nap", {"seconds": 0.01}) for _ in range(20)]
        assert [worker.answer(call_id)["result"] for call_id in naps] == ["napped"] * 20


def test_too_many_calls_are_refused(worker):
    first = worker.start("sleep", {"seconds": 20})
    ids = [worker.start("echo", {"text": "a"}) for _ in range(1024)]
    refused = worker.answer(ids[-1])
    assert refused["error"]["error_type"] == "TooManyCalls" and refused["error"]["retriable"]
    worker.cancel(first, "interrupt")
    assert worker.answer(ids[0])["type"] == "result"


BAD = [
    ({"id": 1}, None), ({"type": "call", "id": 1}, None), ({"type": 7}, None),
    ({"type": "call", "id": "x", "tool": "echo", "args": {}, "timeout_ms": None, "credit": 1, "job": None}, None),
]  # fmt: skip


@pytest.mark.parametrize("header,_", BAD)
def test_a_bad_message_ends_the_worker(worker, header, _):
    worker.send(header)
    assert worker.wait() == 76
    assert "protocol violation" in worker.text()


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\0\0\0\0\0", b"\xff\xff\xff\xff\0\0\0\0", b"\0\0\0\x02\xff\xff\xff\xff{}", b"\0\0\0\x02\0\0\0\0[]",
     b"\0\0\0\x03\0\0\0\0\xef\xbb\xbf", b"\0\0\0\x02\0\0\0\x01{}x"],
)  # fmt: skip
def test_a_bad_frame_ends_the_worker(worker, data):
    worker.socket.sendall(data)
    assert worker.wait() == 76


def test_an_id_used_twice_ends_the_worker(worker):
    call_id = worker.start("sleep", {"seconds": 20})
    worker.send({"type": "validate", "id": call_id})
    assert worker.wait() == 76


def test_versions_that_do_not_meet_are_explained():
    with Worker(protocol=(2, 3), initialize=False) as worker:
        error = worker.receive()["error"]
        assert error["message"] == "worker speaks protocol 1, this host speaks 2 to 3: upgrade the worker"
        assert worker.wait() == 3
        with pytest.raises(Gone):
            worker.receive()
