"""Output and log of calls that belong to jobs: each line is known to be theirs, and no other is."""

from __future__ import annotations

import re
from typing import Any, Iterator

import pytest
from driver import Worker, wait_until

MARK = re.compile(r"\x1ehardpoint call ([0-9]+)")
WAYS = ("print", "stderr", "os 1", "os 2", "child", "thread", "without an end")


def job(attempt: int = 1) -> dict[str, Any]:
    return {"job_id": "01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11", "stage": 0, "attempt": attempt}


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker("talker:Talker") as started:
        yield started


@pytest.fixture(params=[1, 4], ids=["one-at-a-time", "four-at-a-time"])
def either(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker("talker:Talker", concurrency=request.param) as started:
        yield started


def slices(worker: Worker) -> dict[int, list[str]]:
    """What was written, by the call that it is marked to belong to."""
    found: dict[int, list[str]] = {}
    current = 0
    for line in worker.text().split("\n"):
        mark = MARK.fullmatch(line)
        if mark:
            current = int(mark.group(1))
        elif line:
            found.setdefault(current, []).append(line)
    return found


def logged(worker: Worker) -> dict[int | None, list[str]]:
    found: dict[int | None, list[str]] = {}
    for message in worker.seen:
        if message["type"] == "log":
            found.setdefault(message["id"], []).append(message["message"])
    return found


def test_a_worker_says_that_it_writes_marks(worker):
    assert worker.ready["marks"] is True


def test_plain_calls_write_no_mark(either):
    either.call("talk", {"word": "a"})
    either.call("tasks", {"word": "a"})
    assert "\x1e" not in either.text()


def test_each_line_belongs_to_the_job_that_wrote_it_however_close_they_follow(either):
    either.call("talk", {"word": "before"})
    calls = []
    for word, of_job in (("first", job(1)), ("between", None), ("second", job(2)), ("third", job(3))):
        calls.append(either.start("talk", {"word": word}, job=of_job))
        if either.concurrency > 1:
            # One at a time: what is written while several run belongs to none of them.
            either.answer(calls[-1])
    for call in calls:
        assert either.concurrency > 1 or either.answer(call)["type"] == "result"
    found = slices(either)
    for call, word in zip(calls, ("first", "between", "second", "third")):
        expected = {f"{word} {way}" for way in WAYS}
        if word == "between":
            assert call not in found
        else:
            assert set(found[call]) == expected
    assert {line.split()[0] for line in found[0]} == {"before", "between"}


def test_what_a_call_wrote_is_marked_before_its_answer_comes(either):
    for tool, lines in (("fail", {"w print", "asked for its words"}), ("tasks", {"w async"})):
        call = either.start(tool, {"word": "w"}, job=job())
        either.answer(call)
        text = either.text()
        assert text.rstrip("\n").endswith("\x1ehardpoint call 0"), text
        assert set(slices(either)[call]) == lines


def test_a_stream_is_marked_from_its_first_item_to_its_end(either):
    call = either.start("stream", {"word": "w", "count": 3}, job=job())
    either.answer(call)
    assert slices(either)[call] == ["w 0", "w 1", "w 2"]
    cancelled = either.start("stream", {"word": "w", "count": 1000}, job=job(), credit=2)
    wait_until(lambda: len(slices(either).get(cancelled, [])) >= 2, "two items")
    either.cancel(cancelled)
    assert either.answer(cancelled)["type"] == "error"
    assert either.text().rstrip("\n").endswith("\x1ehardpoint call 0")


def test_records_of_threads_and_tasks_carry_the_call_that_started_them(either):
    call = either.start("talk", {"word": "w"}, job=job())
    either.answer(call)
    tasks = either.start("tasks", {"word": "w"}, job=job())
    either.answer(tasks)
    found = logged(either)
    expected = {"w logging", "w context", "w thread logging", "w thread context"}
    assert set(found[call]) == expected
    assert set(found[tasks]) == {"w task"} and len(found[tasks]) >= 3
    assert set(found) == {call, tasks}


def test_a_thread_that_outlives_its_job_does_not_speak_for_the_next(either):
    first = either.start("leave_thread", {"word": "w"}, job=job())
    either.answer(first)
    second = either.start("release", job=job())
    assert either.answer(second)["result"] is True
    assert logged(either) == {None: ["w late"]}


def test_a_forked_child_writes_no_marks(worker):
    call = worker.start("fork", {"word": "w"}, job=job())
    worker.answer(call)
    assert slices(worker)[call] == ["w after the child"]
    # Once as it begins and once as it ends, on both descriptors.
    assert worker.text().count("\x1e") == 4


def test_marks_reach_the_pipe_whatever_the_plugin_makes_of_its_stdout(worker, tmp_path):
    path = tmp_path / "redirected"
    call = worker.start("redirect", {"path": str(path), "word": "w"}, job=job())
    worker.answer(call)
    assert path.read_text() == "w print\n"
    assert worker.text().count(f"\x1ehardpoint call {call}\n") == 2
    assert worker.text().rstrip("\n").endswith("\x1ehardpoint call 0")


def test_marks_go_to_no_file_that_took_the_place_of_the_pipe(worker, tmp_path):
    path = tmp_path / "taken"
    worker.start("close_all", {"path": str(path)}, job=job())
    # Its connection was among what it closed.
    assert worker.wait() in (70, 75, 76)
    assert path.read_text() == ""


def test_while_several_calls_run_output_belongs_to_none_of_them():
    with Worker("talker:Talker", concurrency=4) as worker:
        calls = [worker.start("meet", {"word": word, "parties": 2}, job=job()) for word in ("a", "b")]
        for call in calls:
            assert worker.answer(call)["type"] == "result"
        alone = worker.start("talk", {"word": "alone"}, job=job())
        worker.answer(alone)
        found = slices(worker)
        assert set(found[alone]) == {f"alone {way}" for way in WAYS}
        assert sorted(found[0]) == ["a together", "b together"]
        assert set(found) == {0, alone}
