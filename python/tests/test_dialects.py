"""The seam between the worker and the contracts plugins were written for, with native plugins."""

from __future__ import annotations

import os

import pytest
from driver import HERE, Worker

HEAD = "from hardpoint import Plugin, tool\n"
CONFIGURED = (
    "import dataclasses\n" + HEAD + "class X(Plugin):\n  @dataclasses.dataclass\n  class Config:\n"
    "    dpi: int = 300\n"
    "  def initialize(self, config: Config): self.config = config\n"
    "  @tool\n  def show(self): return self.config\n"
)
BESIDE = (
    "import threading\n" + HEAD + "class X(Plugin):\n  go = threading.Event()\n  inside = 0\n  seen = []\n"
    "  @tool\n  def wait(self):\n    X.inside += 1\n    self.go.wait(20)\n    X.inside -= 1\n"
    "  @tool\n  def release(self): self.go.set()\n"
    "  def reconfigure(self, old, new): self.seen.append(X.inside)\n"
    "  def on_disable(self): self.seen.append(X.inside)\n"
    "  @tool\n  def shown(self): return self.seen\n"
)


def test_an_unknown_dialect_is_refused_and_the_known_ones_are_named():
    with Worker(initialize=False, dialect="klingon") as worker:
        error = worker.receive()["error"]
        assert "klingon" in error["message"] and "it knows native, cjm, forgesyte" in error["message"]
        assert worker.wait() == 3


def test_the_dialect_is_native_where_the_host_names_none():
    with Worker(hello=False) as worker:
        plugin = {
            "name": "a",
            "entry": "sample:Sample",
            "dir": os.path.join(HERE, "plugins"),
            "instance": "a-1",
        }
        protocol = {"min": 1, "max": 1}
        worker.send({"type": "hello", "protocol": protocol, "plugin": plugin, "concurrency": 1})
        assert worker.receive()["type"] == "ready"


@pytest.mark.parametrize("kind", ["initialize", "reconfigure"])
def test_a_lenient_config_loses_what_the_schema_does_not_know_and_says_so(tmp_path, kind):
    (tmp_path / "good.py").write_text(CONFIGURED)
    with Worker("good:X", str(tmp_path), initialize=kind == "reconfigure") as worker:
        if kind == "initialize":
            assert worker.receive()["type"] == "ready"
        given = {"dpi": 72, "colour": "blue"}
        fields = {"config": given} if kind == "initialize" else {"old": {}, "new": given}
        assert worker.request(kind, **fields)["error"]["category"] == "user_input"
        assert worker.request(kind, lenient=True, **fields)["type"] == "result"
        assert any("colour" in message.get("message", "") for message in worker.seen)
        assert worker.call("show")["result"] == {"dpi": 72}


@pytest.mark.parametrize("kind", ["reconfigure", "disable"])
def test_a_change_of_the_whole_plugin_never_runs_beside_a_call(tmp_path, kind):
    (tmp_path / "good.py").write_text(BESIDE)
    with Worker("good:X", str(tmp_path), concurrency=4) as worker:
        first, second = worker.start("wait"), worker.start("wait")
        releasing = worker.start("release")
        worker.next_id += 1
        changing = worker.next_id
        fields = {"old": {}, "new": {}} if kind == "reconfigure" else {}
        worker.send({"type": kind, "id": changing, **fields})
        later = worker.start("shown")
        for call in (first, second, releasing, changing):
            assert worker.answer(call)["type"] == "result"
        assert worker.answer(later)["result"] == [0]


def test_a_change_that_waits_for_calls_can_be_taken_back(tmp_path):
    (tmp_path / "good.py").write_text(BESIDE)
    with Worker("good:X", str(tmp_path), concurrency=4) as worker:
        waiting = worker.start("wait")
        while worker.request("ping")["calls_running"] == 0:
            pass
        worker.next_id += 1
        changing = worker.next_id
        worker.send({"type": "disable", "id": changing})
        behind = worker.start("release")
        worker.cancel(changing)
        assert worker.answer(changing)["error"]["error_type"] == "Cancelled"
        assert worker.answer(behind)["type"] == worker.answer(waiting)["type"] == "result"
        assert worker.call("shown")["result"] == []
