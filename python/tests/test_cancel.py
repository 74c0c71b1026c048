"""Cancelling, in both phases, at every moment."""

from __future__ import annotations

import os
import signal
import time

import pytest
from driver import Worker


def running(worker: Worker) -> None:
    while worker.request("ping")["calls_running"] == 0:
        pass


@pytest.mark.parametrize("tool", ["sleep", "spin", "nap", "block_loop"])
def test_an_interrupt_reaches(either, tool):
    begin = time.monotonic()
    call_id = either.start(tool, {"seconds": 15})
    running(either)
    either.cancel(call_id)
    either.cancel(call_id, "interrupt")
    if tool == "sleep" and either.ready and either.concurrency > 1:
        # A thread that sleeps in C cannot be interrupted; the host kills the worker instead.
        return
    error = either.answer(call_id)["error"]
    assert (error["error_type"], error["category"], error["retriable"]) == ("Cancelled", "transient", False)
    assert time.monotonic() - begin < 10
    assert either.call("echo", {"text": "a"})["result"] == {"text": "a"}
    assert either.call("nap", {"seconds": 0})["result"] == "napped"


def test_a_cooperative_cancel_runs_callbacks(either):
    call_id = either.start("polite")
    running(either)
    either.cancel(call_id)
    assert either.answer(call_id)["error"]["error_type"] == "Cancelled"


def test_a_cooperative_cancel_ends_an_async_call(either):
    call_id = either.start("nap", {"seconds": 15})
    running(either)
    either.cancel(call_id)
    assert either.answer(call_id)["error"]["error_type"] == "Cancelled"


def test_except_exception_does_not_swallow_it(either):
    call_id = either.start("stubborn")
    running(either)
    either.cancel(call_id, "interrupt")
    assert either.answer(call_id)["error"]["error_type"] == "Cancelled"


def test_a_tool_may_clean_up(worker):
    call_id = worker.start("cleans_up")
    running(worker)
    worker.cancel(call_id, "interrupt")
    assert worker.answer(call_id)["error"]["error_type"] == "Cancelled"
    assert worker.call("state")["result"]["cancelled_by"] == "cleaned"


def test_a_waiting_call_is_dropped_at_once(worker):
    first = worker.start("sleep", {"seconds": 15})
    second = worker.start("echo", {"text": "a"})
    third = worker.start("echo", {"text": "b"})
    worker.cancel(second)
    error = worker.answer(second)["error"]
    assert error["error_type"] == "Cancelled"
    worker.cancel(first, "interrupt")
    assert worker.answer(first)["error"]["error_type"] == "Cancelled"
    assert worker.answer(third)["result"] == {"text": "b"}


def test_cancelling_what_is_over_does_nothing(either):
    either.call("echo", {"text": "a"})
    either.cancel(either.next_id, "interrupt")
    either.cancel(12345, "interrupt")
    assert either.call("echo", {"text": "b"})["result"] == {"text": "b"}


@pytest.mark.parametrize(
    "tool,seconds", [("spin", 0.0), ("spin", 0.02), ("sleep", 0.02), ("nap", 0.001), ("block_loop", 0.02)]
)
def test_a_late_interrupt_never_hits_the_next_call(either, tool, seconds):
    rounds = 200 if seconds < 0.02 else 60
    for _ in range(rounds):
        first = either.start(tool, {"seconds": seconds})
        either.cancel(first, "interrupt")
        second = either.start("echo", {"text": "next"})
        third = either.start("nap", {"seconds": 0})
        answer = either.answer(first)
        assert answer["type"] == "result" or answer["error"]["error_type"] == "Cancelled"
        assert either.answer(second)["result"] == {"text": "next"}
        assert either.answer(third)["result"] == "napped"


def test_a_thousand_interrupts_around_the_end_of_a_call():
    """The interrupt is sent when the call is about to end: it may win or lose, and nothing else may happen."""
    outcomes = {"result": 0, "error": 0}
    with Worker(concurrency=2) as worker:
        for round_ in range(1000):
            first = worker.start("spin", {"seconds": 0.0001 * (round_ % 8)})
            second = worker.start("spin", {"seconds": 0.0002})
            worker.cancel(first, "interrupt")
            third = worker.start("echo", {"text": str(round_)})
            answer = worker.answer(first)
            outcomes[answer["type"]] += 1
            assert answer["type"] == "result" or answer["error"]["error_type"] == "Cancelled"
            assert worker.answer(second)["type"] == "result"
            assert worker.answer(third)["result"] == {"text": str(round_)}
    print(outcomes)


def test_a_terminals_interrupt_is_harmless(either):
    os.kill(either.process.pid, signal.SIGINT)
    call_id = either.start("spin", {"seconds": 0.2})
    running(either)
    os.kill(either.process.pid, signal.SIGINT)
    assert either.answer(call_id)["result"] == "spun"


def test_sigterm_ends_the_worker(worker):
    os.kill(worker.process.pid, signal.SIGTERM)
    assert worker.wait() == -signal.SIGTERM
