"""Later releases of the cjm contract, and its successor of another name."""

from __future__ import annotations

import sys

import pytest
from driver import Worker
from foreign import environment, folder

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="the packages need Python 3.12")


def test_a_plugin_that_executes_runs_unchanged_with_a_later_release(tmp_path):
    python = environment(tmp_path / "env", "cjm-plugin-system==0.0.46", alone=True)
    with Worker("cjm_whole:WholePlugin", folder("cjm-whole"), dialect="cjm", python=python) as worker:
        assert worker.call("say", {"text": "a"})["result"]["text"] == "a"
        assert worker.call("fail", {"kind": "resource"})["error"]["resource_shortfall"]["needed"] == 4000
        call = worker.start("poll")
        worker.until(lambda message: message["type"] == "progress")
        worker.cancel(call)
        assert worker.answer(call)["error"]["error_type"] == "Cancelled"
        assert worker.request("reconfigure", old={}, new={"language": "german"})["type"] == "result"
        assert worker.call("trace")["result"]["trace"][-1] == "release tokenizer"


@pytest.fixture(scope="module")
def successor(tmp_path_factory: pytest.TempPathFactory) -> str:
    return environment(tmp_path_factory.mktemp("successor") / "env", "cjm-substrate==0.0.74", alone=True)


def started(python: str, name: str, **more) -> Worker:
    return Worker(f"cjm_successor:{name}", folder("cjm-successor"), dialect="cjm", python=python, **more)


def test_the_successor_is_understood_by_what_its_classes_and_errors_have(successor):
    with started(successor, "Successor", concurrency=4) as worker:
        assert {tool["name"] for tool in worker.ready["tools"]} == {
            "execute",
            "execute_stream",
            "beat",
            "fail",
        }
        error = worker.call("fail")["error"]
        assert (error["error_type"], error["category"]) == ("CapabilityTransientError", "transient")
        assert (error["retriable"], error["retry_after_seconds"]) == (True, 1.5)


def test_hearts_of_two_calls_beat_for_their_own(successor):
    with started(successor, "Successor", concurrency=4) as worker:
        calls = {worker.start("beat", {"name": name}): name for name in ("first", "second")}
        for call, name in calls.items():
            for _ in range(3):
                beat = worker.until(
                    lambda m: m["type"] == "progress" and m["id"] == call and m["message"].endswith("s)")
                )
                assert beat["message"].startswith(name) and beat["fraction"] == 0.5
        for call in calls:
            worker.cancel(call)
            assert worker.answer(call)["error"]["error_type"] == "Cancelled"


def test_a_successor_whose_tasks_moved_to_adapters_is_refused_with_the_reason(successor):
    with started(successor, "Moved", initialize=False) as worker:
        error = worker.receive()["error"]
        assert error["error_type"] == "Unavailable"
        assert error["message"].startswith("cjm_task_adapter_required: class `Moved`")
