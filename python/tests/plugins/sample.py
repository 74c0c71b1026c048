"""The plugin most tests use: one tool per thing a plugin may do."""

import asyncio
import dataclasses
import datetime
import enum
import logging
import os
import pathlib
import subprocess
import sys
import threading
import time
from typing import Any, AsyncIterator, Iterator

from hardpoint import (
    Cancelled,
    Context,
    InputError,
    Plugin,
    ResourceError,
    ResourceShortfall,
    TransientError,
    tool,
)


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 2


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def errors() -> dict:
    return {
        "key": KeyError("k"), "value": ValueError("v"), "file": FileNotFoundError(2, "gone"),
        "timeout": TimeoutError("t"), "asyncio_timeout": asyncio.TimeoutError(), "os": OSError(5, "io"),
        "memory": MemoryError("m"), "zero": ZeroDivisionError("z"), "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(), "connection": ConnectionResetError("c"),
        "unprintable": Unprintable(), "long": ValueError("x" * 300_000),
        "input": InputError("bad", fields_invalid=["a", "b"]),
        "transient": TransientError("later", retry_after_seconds=2.5),
        "resource": ResourceError("big", resource_shortfall=ResourceShortfall("gpu", 8, 2)),
        "surrogate": ValueError("\udc80"),
    }  # fmt: skip


class Sample(Plugin):
    name = "sample"
    version = "1.0.0"
    description = "A plugin for tests."

    def initialize(self, config: dict) -> None:
        self.config = config
        self.count = 0
        self.cancelled_by = None
        self.gate = threading.Event()

    def config_options(self) -> dict:
        return {"language": ["deu", "eng"]}

    @tool
    def echo(self, text: str, times: int = 1) -> dict:
        """Say it again."""
        return {"text": text * times}

    @tool
    def value(self, kind: str):
        deep: list = []
        for _ in range(99):
            deep = [deep]
        values = {
            "nan": lambda: {"a": float("nan"), "b": [float("inf"), 1.5]}, "int_ok": lambda: [2**64 - 1, -(2**63)],
            "int_high": lambda: {"n": [2**64]}, "int_low": lambda: -(2**63) - 1,
            "keys": lambda: {1: "a", None: "b", False: "c", 1.5: "d"}, "bad_key": lambda: {(1, 2): 3},
            "surrogate": lambda: ["\udc80"], "deep_ok": lambda: deep, "deep": lambda: [deep],
            "circle": lambda: self._circle(), "unknown": lambda: {"x": [1, object()]},
            "looks_like": lambda: {"a": {"$blob": 0}, "b": {"$value": {"$blob": 1}}, "c": {"$blob": 1, "x": 2}},
            "string_like": lambda: ['{"$blob":0}', "$blob"], "dataclass": lambda: [Point(1), Color.RED],
            "date": lambda: datetime.datetime(2025, 1, 2, 3, 4, 5), "path": lambda: pathlib.PurePosixPath("/a"),
            "tuple": lambda: (1, (2,)), "none": lambda: None, "large": lambda: "x" * (17 << 20),
            "digits": lambda: "12345678901234567890123", "mixed": lambda: {"$blob": b"abc", "n": float("nan")},
            "rows": lambda: [{"a": [1]}] * 200, "nan_deep": lambda: {"d": deep[0], "n": float("nan")},
        }  # fmt: skip
        return values[kind]()

    def _circle(self):
        circle: list = []
        circle.append(circle)
        return circle

    @tool
    def same(self, value: Any) -> Any:
        return value

    @tool
    def view(self, data: memoryview) -> dict:
        import mmap

        return {
            "length": len(data),
            "first": data[0],
            "last": data[-1],
            "mapped": isinstance(data.obj, mmap.mmap),
        }

    @tool
    def data(self, sizes: "list[int]"):
        return [bytes([index % 256]) * size for index, size in enumerate(sizes)]

    @tool
    def reverse(self, data: bytes) -> bytes:
        return data[::-1]

    @tool
    def fail(self, kind: str) -> None:
        raise errors()[kind]

    @tool
    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    @tool
    def spin(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return "spun"

    @tool
    def polite(self, ctx: Context) -> None:
        ctx.on_cancel(self.gate.set)
        self.gate.wait(20)
        ctx.check_cancel()

    @tool
    def stubborn(self) -> str:
        """Swallows what `except Exception` swallows."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                time.sleep(0.01)
            except Exception:
                pass
        return "done"

    @tool
    def cleans_up(self) -> None:
        try:
            time.sleep(20)
        except Cancelled:
            self.cancelled_by = "cleaned"
            raise

    @tool
    def state(self) -> dict:
        return {"cancelled_by": self.cancelled_by, "count": self.count, "config": self.config}

    @tool
    async def nap(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "napped"

    @tool
    async def block_loop(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return "blocked"

    @tool
    async def async_exit(self) -> None:
        raise SystemExit(4)

    @tool
    def numbers(self, count: int, pause: float = 0.0) -> Iterator[int]:
        try:
            for number in range(count):
                self.count = number + 1
                if pause:
                    time.sleep(pause)
                yield number
        finally:
            self.cancelled_by = "closed"
        return "end"

    @tool
    async def async_numbers(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            await asyncio.sleep(0)
            self.count = number + 1
            yield number

    @tool
    def broken_stream(self) -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    @tool
    def blob_stream(self, sizes: "list[int]") -> Iterator[bytes]:
        for size in sizes:
            yield b"z" * size

    @tool
    def tell(self, ctx: Context, steps: int = 100) -> str:
        for step in range(steps):
            ctx.progress((step + 1) / steps, f"step {step + 1}")
        ctx.log("hello")
        ctx.warning("careful")
        ctx.usage(tokens=steps)
        return str(ctx.timeout_seconds)

    @tool
    def late_progress(self, ctx: Context) -> None:
        ctx.progress(0.1, "one")
        ctx.progress(0.5, "two")
        self.gate.wait(20)

    @tool
    def logs(self, count: int, size: int = 10) -> None:
        for number in range(count):
            logging.getLogger("sample.sub").info("%d %s", number, "x" * size)

    @tool
    def write(self) -> None:
        print("from print")
        os.write(1, b"from write\n")
        sys.stderr.write("from stderr\n")
        os.write(3, b"half a frame")

    @tool
    def child(self) -> "list[str]":
        script = "import os\nfor n in os.listdir('/proc/self/fd'):\n try: print(os.readlink('/proc/self/fd/' + n))\n except OSError: pass"
        out = subprocess.run(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, close_fds=False, check=True
        )
        return out.stdout.decode().split("\n")

    @tool
    def fork_sleeper(self) -> int:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        return pid

    @tool
    def fds(self) -> int:
        return len(os.listdir("/proc/self/fd"))

    @tool
    def thread_name(self) -> str:
        return threading.current_thread().name

    @tool
    def meet(self, parties: int) -> int:
        """Returns when so many calls run at the same time."""
        self.count += 1
        end = time.monotonic() + 20
        while self.count < parties and time.monotonic() < end:
            time.sleep(0.001)
        return self.count
