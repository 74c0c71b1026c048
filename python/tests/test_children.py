"""Children that are tied to their call: a cancel ends them, and nothing else does."""

from __future__ import annotations

import os
from typing import Iterator

import pytest
from driver import Worker, wait_until

QUIET = "trap '' TERM; echo ready; while :; do sleep 1; done"
GROUP = "sleep 60 & echo member $!; wait"


@pytest.fixture(params=[1, 4], ids=["one-at-a-time", "four-at-a-time"])
def nursery(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker("children:Children", concurrency=request.param) as started:
        yield started


def child_of(worker: Worker) -> int:
    told = worker.until(lambda message: message["type"] == "log" and message["message"].startswith("pid "))
    return int(told["message"].split()[1])


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cancelled(worker: Worker, call_id: int) -> None:
    worker.cancel(call_id)
    assert worker.answer(call_id)["error"]["error_type"] == "Cancelled"


@pytest.mark.parametrize("tool,args", [("checked", {}), ("awaited", {"grace_seconds": 0.1}), ("forked", {})])
def test_a_child_ends_when_its_call_is_cancelled(nursery, tool, args):
    call_id = nursery.start(tool, args)
    pid = child_of(nursery)
    cancelled(nursery, call_id)
    wait_until(lambda: not is_alive(pid), "the end of the child")
    if tool != "awaited":
        assert not os.path.exists(f"/proc/{pid}"), "it is a zombie"


def test_a_loop_does_not_wait_for_a_child_that_ends():
    with Worker("children:Children", concurrency=4) as worker:
        call_id = worker.start("awaited", {"grace_seconds": 5})
        pid = child_of(worker)
        wait_until(lambda: "ready" in worker.text(), "the child's trap")
        worker.cancel(call_id)
        assert worker.answer(call_id)["error"]["error_type"] == "Cancelled"
        # It is given some time; the loop goes on meanwhile.
        assert worker.call("quick")["result"] == "quick" and is_alive(pid)
        wait_until(lambda: not is_alive(pid), "the end of the child")


def test_a_child_that_hears_nothing_is_killed(nursery):
    call_id = nursery.start("shell", {"script": QUIET, "own_group": False})
    pid = child_of(nursery)
    wait_until(lambda: "ready" in nursery.text(), "the child's trap")
    cancelled(nursery, call_id)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_child_with_a_group_of_its_own_takes_that_along(nursery):
    call_id = nursery.start("shell", {"script": GROUP, "own_group": True})
    child_of(nursery)
    wait_until(lambda: "member " in nursery.text(), "the grandchild")
    member = int(nursery.text().split("member ")[1].split()[0])
    assert is_alive(member)
    cancelled(nursery, call_id)
    wait_until(lambda: not is_alive(member), "the end of the grandchild")


def test_without_a_cancel_nothing_is_done_to_a_child(nursery):
    assert nursery.call("shell", {"script": "exit 7", "own_group": False})["result"] == 7


def test_a_child_whose_block_was_left_is_left_alone(nursery):
    call_id = nursery.start("left")
    pid = child_of(nursery)
    cancelled(nursery, call_id)
    assert nursery.call("seen")["result"] == [None], "it was ended"
    wait_until(lambda: not is_alive(pid))


def test_a_function_is_called_once(nursery):
    call_id = nursery.start("function")
    child_of(nursery)
    cancelled(nursery, call_id)
    assert nursery.call("seen")["result"] == ["stopped"]


def test_what_cannot_be_ended_is_refused(nursery):
    error = nursery.call("wrong")["error"]
    assert error["error_type"] == "TypeError" and "not a int" in error["message"]
