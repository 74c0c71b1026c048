"""Plugins that cannot be loaded, and what the host reads about it."""

from __future__ import annotations

import pytest
from driver import Worker

HEAD = "from hardpoint import Plugin, tool\n"
CASES = [
    ("missing:X", "", "ModuleNotFoundError", "missing"),
    ("bad:X", HEAD + "class A(Plugin): pass\nclass B: pass\n", "ToolError", "has no class `X`; it has: A, B"),
    ("bad", HEAD, "ToolError", "not `module:Class`"),
    ("bad:X", "def X(): pass\n", "ToolError", "is a function"),
    ("bad:X", "class X: pass\n", "ToolError", "not a hardpoint.Plugin"),
    ("bad:X", "raise SystemExit(5)\n", "SystemExit", "5"),
    ("bad:X", "raise KeyboardInterrupt\n", "KeyboardInterrupt", "KeyboardInterrupt"),
    ("bad:X", "def broken(:\n", "SyntaxError", "syntax"),
    ("bad:X", "import nowhere\n", "ModuleNotFoundError", "nowhere"),
    ("bad:X", HEAD + "class X(Plugin):\n  @tool\n  def a(self, x: 'Nope'): ...\n", "ToolError", "`x`"),
    ("bad:X", HEAD + "class X(Plugin):\n  @tool\n  def a(self, x: complex): ...\n", "ToolError", "complex"),
    ("bad:X", HEAD + "class X(Plugin):\n  @tool\n  def a(self, *x): ...\n", "ToolError", "*args"),
    ("bad:X", HEAD + "class X(Plugin):\n  @tool\n  def a(self): ...\n  @tool(name='a')\n  def b(self): ...\n",
     "ToolError", "`a` is used by a and by b"),
]  # fmt: skip


@pytest.mark.parametrize("entry,code,error_type,text", CASES)
def test_a_plugin_that_cannot_be_loaded_is_explained(tmp_path, entry, code, error_type, text):
    (tmp_path / "bad.py").write_text(code)
    with Worker(entry, str(tmp_path), initialize=False) as worker:
        answer = worker.receive()
        assert (answer["type"], answer["id"]) == ("error", 0)
        assert answer["error"]["error_type"] == error_type
        assert text in answer["error"]["message"]
        assert worker.wait() == 3


def test_a_class_that_cannot_be_made_fails_initialize(tmp_path):
    (tmp_path / "bad.py").write_text(HEAD + "class X(Plugin):\n  def __init__(self): raise OSError('no')\n")
    with Worker("bad:X", str(tmp_path), initialize=False) as worker:
        assert worker.receive()["type"] == "ready"
        assert worker.request("initialize", config={})["error"]["error_type"] == "OSError"


def test_the_config_may_be_a_dataclass(tmp_path):
    (tmp_path / "good.py").write_text(
        "import dataclasses\n" + HEAD + "class X(Plugin):\n  @dataclasses.dataclass\n  class Config:\n"
        "    language: str\n    dpi: int = 300\n"
        "  def initialize(self, config: Config): self.config = config\n"
        "  @tool\n  def show(self): return self.config\n"
    )
    with Worker("good:X", str(tmp_path), initialize=False) as worker:
        schema = worker.receive()["config_schema"]
        assert schema["required"] == ["language"] and schema["properties"]["dpi"]["default"] == 300
        assert worker.request("initialize", config={"dpi": 1})["error"]["category"] == "user_input"
        assert worker.request("initialize", config={"language": "deu"})["type"] == "result"
        assert worker.call("show")["result"] == {"language": "deu", "dpi": 300}


def test_hooks_may_be_async_and_say_that_a_model_is_missing(tmp_path):
    (tmp_path / "good.py").write_text(
        "from hardpoint import ModelMissing\n" + HEAD + "class X(Plugin):\n"
        "  async def initialize(self, config): self.config = config\n"
        "  async def validate(self): raise ModelMissing('no weights at ' + self.config['path'])\n"
    )
    with Worker("good:X", str(tmp_path), config={"path": "/m"}) as worker:
        error = worker.request("validate")["error"]
        assert (error["error_type"], error["message"]) == ("ModelMissing", "no weights at /m")
