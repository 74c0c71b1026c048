"""The config of a plugin: its schema from a dataclass, and how it changes while the plugin runs."""

from __future__ import annotations

import pytest
from driver import Worker

HEAD = "import dataclasses\nfrom hardpoint import RELOAD_TRIGGER, Plugin, tool\n"
FIELDS = """
field = dataclasses.field
@dataclasses.dataclass
class Config:
    model: str = field(default="small", metadata={"enum": ["small", "large"], RELOAD_TRIGGER: "model"})
    device: str = field(default="cpu", metadata={RELOAD_TRIGGER: "model", "title": "Device"})
    cache: str = field(default="", metadata={RELOAD_TRIGGER: "cache", "maxLength": 3, "pattern": "^[a-z]*$"})
    dpi: int = field(default=300, metadata={"minimum": 72, "maximum": 1200, "note": "mine"})
    pages: list[int] = field(default_factory=lambda: [1, 2])
"""
BODY = """
class X(Plugin):
    Config = Config
    def __init__(self): self.said = []
    def initialize(self, config: Config):
        self.said.append(["initialize", config.model, config.dpi])
        if config.dpi in (100, 101): raise ValueError("no such dpi")
        if config.dpi == 300 and ["initialize", "small", 101] in self.said: raise RuntimeError("all is lost")
    def _release_model(self): self.said.append("release model")
    def _release_cache(self): self.said.append("release cache")
    @tool
    def says(self): return self.said
"""
BASE = {"model": "small", "device": "cpu", "cache": "", "dpi": 300, "pages": [1, 2]}


def plugin(tmp_path, body=BODY):
    (tmp_path / "good.py").write_text(HEAD + FIELDS + body)
    return Worker("good:X", str(tmp_path), config=BASE)


def test_what_the_metadata_of_a_field_says_stands_in_its_schema(tmp_path):
    with plugin(tmp_path) as worker:
        fields = worker.ready["config_schema"]["properties"]
    assert fields["model"] == {
        "type": "string", "default": "small", "enum": ["small", "large"], "reload_trigger": "model"
    }  # fmt: skip
    assert fields["dpi"] == {"type": "integer", "default": 300, "minimum": 72, "maximum": 1200}
    assert fields["pages"]["default"] == [1, 2]
    assert (fields["cache"]["maxLength"], fields["device"]["title"]) == (3, "Device")


@pytest.mark.parametrize("how", ["", "async "])
def test_a_changed_field_releases_what_it_triggers_once(tmp_path, how):
    with plugin(tmp_path, BODY.replace("def initialize", f"{how}def initialize")) as worker:
        new = {**BASE, "model": "large", "device": "cuda", "dpi": 400}
        assert worker.request("reconfigure", old=BASE, new=new)["type"] == "result"
        worker.request("reconfigure", old=new, new={**new, "dpi": 500})
        assert worker.call("says")["result"] == [
            ["initialize", "small", 300], "release model", ["initialize", "large", 400], ["initialize", "large", 500]
        ]  # fmt: skip


@pytest.mark.parametrize("how", ["", "async "])
def test_a_config_that_is_refused_leaves_the_one_before(tmp_path, how):
    with plugin(tmp_path, BODY.replace("def initialize", f"{how}def initialize")) as worker:
        error = worker.request("reconfigure", old=BASE, new={**BASE, "dpi": 100})["error"]
        assert (error["error_type"], error["message"]) == ("ValueError", "no such dpi")
        said = worker.call("says")["result"]
        assert said[-2:] == [["initialize", "small", 100], ["initialize", "small", 300]]
        error = worker.request("reconfigure", old=BASE, new={**BASE, "dpi": 101})["error"]
        assert error["error_type"] == "ConfigNotRestored" and "all is lost" in error["message"]


def test_a_plugin_that_changes_itself_releases_what_it_wants(tmp_path):
    own = """
    def reconfigure(self, old, new):
        self.said.append(sorted(self.fields_that_changed(old, new)))
        self.reconfigure_with_triggers(old, new)
"""
    with plugin(tmp_path, BODY + own) as worker:
        new = {**BASE, "cache": "abc", "model": "large"}
        assert worker.request("reconfigure", old=BASE, new=new)["type"] == "result"
        assert worker.call("says")["result"][1:] == [["cache", "model"], "release model", "release cache"]


def test_a_schema_written_by_hand_has_triggers_too(tmp_path):
    own = """
    config_schema = {"type": "object", "properties": {"model": {"reload_trigger": "model"}, "dpi": {}}}
    def initialize(self, config): pass
"""
    with plugin(tmp_path, BODY + own) as worker:
        worker.request("reconfigure", old={"model": 1}, new={"model": 2})
        worker.request("reconfigure", old={"model": 2}, new={"model": 2, "dpi": None})
        assert worker.call("says")["result"] == ["release model"]
        assert worker.ready["config_schema"]["properties"]["dpi"] == {}
