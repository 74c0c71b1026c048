"""Results of every kind, and every way to fail."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any


class Color(Enum):
    RED = "red"


@dataclass
class Box:
    x: int
    color: Color


class Old:
    """As pydantic 1 writes itself."""

    def dict(self) -> Any:
        return {"old": (1, 2)}


class Words(str):
    pass


class Custom(ValueError):
    pass


def circle() -> Any:
    ring: list = []
    ring.append(ring)
    return ring


KINDS = {
    "list": lambda: [1, 2],
    "none": lambda: None,
    "text": lambda: Words("a"),
    "nan": lambda: {"a": float("nan"), "b": [float("-inf")]},
    "bytes": lambda: {"a": b"\x00\xff", "b": bytearray(b"x"), "c": memoryview(b"y")},
    "set": lambda: {"a": {3}, "b": frozenset([4])},
    "keys": lambda: {1: "a", None: "b", 1.5: "c", (1, 2): "d", False: "e"},
    "time": lambda: {"a": datetime(2026, 1, 2, 3, 4, 5), "b": date(2026, 1, 2)},
    "things": lambda: {"path": Path("/a/b"), "color": Color.RED, "box": Box(1, Color.RED), "old": Old()},
    "top_dataclass": lambda: Box(2, Color.RED),
    "object": lambda: {"a": [1, {"b": object()}]},
    "class": lambda: {"a": Box},
    "circle": circle,
    "large": lambda: {"text": "x" * (20 << 20)},
    "rather_large": lambda: {"text": "x" * (10 << 20)},
    "failure_inside": lambda: {"error": "invalid_image", "message": "m", "plugin": "p", "tool": "t"},
}
ERRORS = {
    kind.__name__: kind
    for kind in (
        ValueError, Custom, TimeoutError, RecursionError, RuntimeError, KeyError, MemoryError, SystemExit,
        KeyboardInterrupt, GeneratorExit,
    )
}  # fmt: skip


class Plugin:
    name = "results"
    tools = {
        name: {"description": name}
        for name in ("result", "fail", "die", "say", "sleep", "children", "allocate")
    }

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        if tool_name not in self.tools:
            raise ValueError(f"unknown tool {tool_name}")
        return getattr(self, tool_name)(**args)

    def result(self, kind: str) -> Any:
        return KINDS[kind]()

    def fail(self, kind: str) -> Any:
        raise ERRORS[kind]("on purpose")

    def die(self, how: str) -> Any:
        if how == "exit":
            os._exit(7)
        if how == "null":
            ctypes.string_at(0)
        os.kill(os.getpid(), signal.SIGKILL)

    def say(self, size: int) -> Any:
        logging.getLogger("talks").info("in words", extra={"tool": "say", "size": size})
        print("o" * size)
        print("e" * size, file=sys.stderr)
        return {"said": size, "stdin": sys.stdin.read()}

    def children(self) -> Any:
        return [subprocess.Popen(["sleep", "60"]).pid for _ in range(3)]

    def allocate(self, megabytes: int) -> Any:
        """Allocates, touches every page, and frees."""
        return len(bytearray(b"x") * (megabytes << 20))

    def sleep(self, how: str = "sleep") -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if how == "sleep":
                time.sleep(60)
