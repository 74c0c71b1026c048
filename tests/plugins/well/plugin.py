"""A plugin that behaves well: what the misbehaving ones are measured against.

Promise: values, bytes, streams, progress, logs and errors arrive as they were sent; a call that
fails leaves the plugin healthy unless its error is fatal. Expected exit reason: own stop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any, Callable

from hardpoint import Context, Plugin, errors, tool

# Made anew for each call: an exception that is raised twice drags its old traceback along.
ERRORS: dict[str, Callable[[], BaseException]] = {
    "input": lambda: errors.InputError("the text is wrong", fields_invalid=["text"]),
    "transient": lambda: errors.TransientError("the neighbour is busy"),
    "resource": lambda: errors.ResourceError("no room left"),
    "fatal": lambda: errors.FatalError("the model is broken"),
    "value": lambda: ValueError("a plain exception"),
    "key": lambda: KeyError("missing"),
    "memory": lambda: MemoryError("too much"),
    "timeout": lambda: TimeoutError("took too long"),
    "exit": lambda: SystemExit(3),
    "interrupt": lambda: KeyboardInterrupt(),
    "generator_exit": lambda: GeneratorExit(),
    "base": lambda: BaseException("not even an Exception"),
}


class WellPlugin(Plugin):
    """Echoes, counts, sleeps, fails on request."""

    name = "well"
    version = "1.0.0"
    description = "Behaves well: what the others are measured against."

    def initialize(self, config: dict[str, Any]) -> None:
        self._config = config

    def validate(self) -> None:
        """Nothing to check."""

    @tool
    def echo(self, text: str, times: int = 1) -> str:
        """The text, `times` over."""
        return text * times

    @tool
    def echo_value(self, value: Any) -> Any:
        """Any value, as it came."""
        return value

    @tool
    def echo_bytes(self, data: bytes) -> bytes:
        """The bytes, as they came."""
        return data

    @tool
    def view_bytes(self, data: memoryview) -> int:
        """How many bytes the view shows, without copying them."""
        return data.nbytes

    @tool
    def big(self, n_bytes: int) -> bytes:
        """That many bytes, counting up from 0 to 250 over and over."""
        return (bytes(range(251)) * (n_bytes // 251 + 1))[:n_bytes]

    @tool
    def sleep(self, seconds: float) -> float:
        """Sleep without looking up."""
        time.sleep(seconds)
        return seconds

    @tool
    def nap(self, seconds: float, *, ctx: Context) -> float:
        """Sleep, but look every 10 ms whether the caller still waits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ctx.check_cancel()
            time.sleep(0.01)
        return seconds

    @tool
    def finish_when_cancelled(self, *, ctx: Context) -> str:
        """Return a result as soon as the call is cancelled."""
        while not ctx.cancelled:
            time.sleep(0.01)
        return "done"

    @tool
    async def async_sleep(self, seconds: float) -> float:
        """Sleep in the event loop."""
        await asyncio.sleep(seconds)
        return seconds

    @tool
    def count(self, n: int, fail_at: int = -1) -> Iterator[int]:
        """Stream 0 to n - 1; fails at `fail_at` when that lies on the way."""
        for number in range(n):
            if number == fail_at:
                raise errors.TransientError(f"stopped at {number}")
            yield number

    @tool
    def tick(self, seconds: float) -> Iterator[int]:
        """Stream a number every 10 ms."""
        for number in range(int(seconds * 100)):
            yield number
            time.sleep(0.01)

    @tool
    def fail(self, kind: str) -> None:
        """Raise the error of that kind: one of the keys of ERRORS."""
        raise ERRORS[kind]()

    @tool
    def progress(self, n: int, *, ctx: Context) -> int:
        """Report progress n times."""
        for step in range(1, n + 1):
            ctx.progress(step / n, f"step {step} of {n}")
        return n

    @tool
    def log(self, lines: int, *, ctx: Context) -> int:
        """Log that many lines and print as many."""
        for line in range(lines):
            ctx.info(f"logged {line}")
            print(f"printed {line}", flush=True)
        return lines

    @tool
    def config(self) -> dict[str, Any]:
        """The configuration that initialize was given."""
        return self._config

    @tool
    def env(self) -> dict[str, str]:
        """The environment variables of the worker."""
        return dict(os.environ)

    @tool
    def fds(self) -> list[str]:
        """The open descriptors of the worker, each as `number -> what it is`."""
        found = []
        for number in sorted(int(entry) for entry in os.listdir("/proc/self/fd")):
            try:
                found.append(f"{number} -> {os.readlink(f'/proc/self/fd/{number}')}")
            except FileNotFoundError:  # the descriptor that listed the folder
                continue
        return found

    @tool
    def pid(self) -> int:
        """The process id, as the worker sees it."""
        return os.getpid()
