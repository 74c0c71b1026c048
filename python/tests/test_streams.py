"""Generators, their credit, and what calls say while they run."""

from __future__ import annotations

import time

import pytest
from driver import Worker


def items(worker: Worker) -> list:
    return [message for message in worker.seen if message["type"] == "item"]


@pytest.mark.parametrize("tool", ["numbers", "async_numbers"])
def test_items_come_in_order_and_stop_without_credit(either, tool):
    call_id = either.start(tool, {"count": 10}, credit=3)
    for seq in range(3):
        message = either.receive()
        assert (message["type"], message["seq"], message["item"]) == ("item", seq, seq)
    assert either.request("ping")["calls_running"] == 1
    either.send({"type": "credit", "id": call_id, "items": 2})
    assert [either.receive()["seq"] for _ in range(2)] == [3, 4]
    either.send({"type": "credit", "id": call_id, "items": 100})
    answer = either.answer(call_id)
    assert answer["items"] == 10
    assert answer["result"] == ("end" if tool == "numbers" else None)
    assert [message["item"] for message in items(either)] == [5, 6, 7, 8, 9]


def test_a_long_stream_with_a_window(either):
    call_id = either.start("numbers", {"count": 5000}, credit=64)
    got = 0
    while True:
        message = either.receive()
        if message["type"] == "result":
            break
        assert message["seq"] == got
        got += 1
        if got % 32 == 0:
            either.send({"type": "credit", "id": call_id, "items": 32})
    assert got == 5000 == message["items"]


def test_a_broken_stream_ends_with_its_error(either):
    call_id = either.start("broken_stream")
    assert either.answer(call_id)["error"]["error_type"] == "ValueError"
    assert [message["item"] for message in items(either)] == [1]


def test_streams_carry_blobs(either):
    either.call("blob_stream", {"sizes": [10, 100_000, 0]})
    assert [len(message["_blobs"][0]) for message in items(either)] == [10, 100_000, 0]


@pytest.mark.parametrize("tool", ["numbers", "async_numbers"])
def test_a_stream_without_credit_can_be_cancelled(either, tool):
    call_id = either.start(tool, {"count": 10}, credit=1)
    assert either.receive()["seq"] == 0
    either.cancel(call_id)
    assert either.answer(call_id)["error"]["error_type"] == "Cancelled"
    if tool == "numbers":
        assert either.call("state")["result"]["cancelled_by"] == "closed"


def test_a_running_stream_can_be_cancelled(either):
    call_id = either.start("numbers", {"count": 100_000, "pause": 0.001}, credit=1_000_000)
    either.receive()
    either.cancel(call_id)
    assert either.answer(call_id)["error"]["error_type"] == "Cancelled"


def test_progress_is_thinned_and_its_last_word_kept(either):
    answer = either.call("tell", {"steps": 500}, timeout_ms=2500)
    assert answer["result"] == "2.5"
    progress = [message for message in either.seen if message["type"] == "progress"]
    assert 2 <= len(progress) <= 10
    assert progress[-1]["fraction"] == 1.0 and progress[-1]["message"] == "step 500"
    logs = [(m["level"], m["message"]) for m in either.seen if m["type"] == "log"]
    assert logs == [("info", "hello"), ("warning", "careful")]
    assert [m["usage"] for m in either.seen if m["type"] == "usage"] == [{"tokens": 500}]


def test_progress_that_waits_is_sent_while_the_call_goes_on(either):
    call_id = either.start("late_progress")
    assert either.until(lambda m: m["type"] == "progress")["message"] == "one"
    assert either.until(lambda m: m["type"] == "progress")["message"] == "two"
    either.cancel(call_id, "interrupt")


def test_log_records_become_messages(either):
    call_id = either.start("logs", {"count": 2})
    either.answer(call_id)
    logs = [message for message in either.seen if message["type"] == "log"]
    assert [(m["id"], m["level"], m["logger"], m["message"][0]) for m in logs] == [
        (call_id, "info", "sample.sub", "0"),
        (call_id, "info", "sample.sub", "1"),
    ]


def test_too_many_log_records_are_counted(worker):
    worker.call("logs", {"count": 5000})
    logs = [message for message in worker.seen if message["type"] == "log"]
    assert 1000 <= len(logs) < 5000
    end = time.monotonic() + 10
    while sum(m["dropped"] for m in logs) + len(logs) < 5001 and time.monotonic() < end:
        time.sleep(0.05)
        worker.call("logs", {"count": 1})
        logs = [message for message in worker.seen if message["type"] == "log"]
    assert sum(message["dropped"] for message in logs) >= 5000 - 2000 - 1


def test_long_log_lines_are_cut(worker):
    worker.call("logs", {"count": 1, "size": 100_000})
    line = next(message for message in worker.seen if message["type"] == "log")["message"]
    assert len(line.encode()) <= 16 << 10 and "[cut: 100002 bytes]" in line
