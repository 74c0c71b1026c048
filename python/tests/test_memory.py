"""What an idle worker holds: its interpreter, and little more.

What is compared is memory that a process has for itself alone and that the kernel cannot drop: what the machine would
get back if it ended. Pages of files are left out: all interpreters of a machine share them, and how many of them count
as resident depends on what the page cache happens to have.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from driver import Worker

PLUGINS = {
    "native": """\
from hardpoint import Plugin, tool
class P(Plugin):
    name, version, description = "p", "1", "Trivial."
    @tool
    def echo(self, text: str) -> str:
        '''The text.'''
        return text
""",
    "cjm": """\
class P:
    def initialize(self, config=None): pass
    def get_config_schema(self): return {"properties": {"tag": {"type": "string", "default": "x"}}}
    def execute(self, text=""): return text
""",
    "forgesyte": """\
class P:
    name, version, description = "p", "1", "Trivial."
    tools = {"echo": {"description": "E", "handler": "echo", "input_schema": {"properties": {"text": {}}}}}
    def run_tool(self, tool, args): return {"text": args["text"]}
""",
}
BARE = "import sys; print(flush=True); sys.stdin.read()"
MORE_KB_MAX = 5 << 10


def private_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Private_Dirty:")).split()[1])


@pytest.fixture(scope="module")
def interpreter():
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", BARE], stdin=pipe, stdout=pipe) as process:
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("dialect", PLUGINS)
def test_an_idle_worker_is_hardly_more_than_its_interpreter(interpreter, tmp_path, dialect):
    (tmp_path / "trivial.py").write_text(PLUGINS[dialect])
    tool = "execute" if dialect == "cjm" else "echo"
    with Worker("trivial:P", str(tmp_path), dialect=dialect) as worker:
        more = private_kb(worker.process.pid) - private_kb(interpreter.pid)
        assert more < MORE_KB_MAX, f"{more} kB more than the bare interpreter"
        # The first call loads nothing of weight either.
        assert worker.call(tool, {"text": "a"})["type"] == "result"
        more = private_kb(worker.process.pid) - private_kb(interpreter.pid)
        assert more < MORE_KB_MAX, f"{more} kB more after a call"
