"""Raises every kind of error, on a plain call and at the end of a stream.

Promise: the error arrives typed, with all its fields, whichever way it was asked for. Expected exit
reason: own stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

from hardpoint import Context, Plugin, errors, tool


def short() -> errors.ResourceError:
    gap = errors.ResourceShortfall("gpu_vram_mb", 8000.0, 2048.5)
    return errors.ResourceError("the model does not fit", resource_shortfall=gap)


def of_torch() -> BaseException:
    """What torch raises when the memory of a GPU is full, without torch."""
    kind = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch.cuda"})
    return kind("CUDA out of memory. Tried to allocate 20.00 MiB")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


# Made anew for each call: an exception that is raised twice drags its old traceback along.
ERRORS: dict[str, Callable[[], BaseException]] = {
    "input": lambda: errors.InputError("the page is wrong", fields_invalid=["page", "a/b"]),
    "transient": lambda: errors.TransientError("the neighbour is busy", retry_after_seconds=0.25),
    "soon": lambda: errors.TransientError("in a moment", retry_after_seconds=2.0),
    "someday": lambda: errors.TransientError("some day", retry_after_seconds=86400.0),
    "resource": short,
    "fatal": lambda: errors.FatalError("the model is broken"),
    "chosen": lambda: errors.PluginError("who knows", category="transient"),
    "value": lambda: ValueError("a plain exception"),
    "connection": lambda: ConnectionResetError("gone"),
    "torch": of_torch,
    "unknown": lambda: RuntimeError("nobody thought of it"),
    "exit": lambda: SystemExit(3),
    "huge": lambda: ValueError("x" * 1_000_000),
    "unprintable": lambda: Unprintable(),
    # What the host itself says in such words; here it is the plugin's.
    "like_the_host": lambda: type("PluginUnavailable", (errors.TransientError,), {})("not now"),
}


class TypedErrors(Plugin):
    """Fails on request."""

    name = "typed_errors"
    version = "1.0.0"

    def initialize(self, config: object) -> None:
        self._tries: dict[str, int] = {}

    @tool
    def fail(self, kind: str) -> None:
        """Raise the error of that kind: one of the keys of ERRORS."""
        raise ERRORS[kind]()

    @tool
    def half_way(self, kind: str, *, ctx: Context) -> None:
        """The same right after a word on progress."""
        ctx.progress(0.5, "half")
        raise ERRORS[kind]()

    @tool
    def stream(self, kind: str) -> Iterator[int]:
        """The same after two items."""
        yield 1
        yield 2
        raise ERRORS[kind]()

    @tool
    def at_last(self, name: str, kind: str, failures: int) -> int:
        """Fail so many times under this name, then say how many tries there were."""
        tries = self._tries.get(name, 0) + 1
        self._tries[name] = tries
        if tries <= failures:
            raise ERRORS[kind]()
        return tries
