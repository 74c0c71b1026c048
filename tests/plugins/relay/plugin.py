"""Stages for pipelines: they make, change, weigh and lose what is passed on.

Promise: what one stage returns is what the next one takes, whatever happens to workers and host in between.
Expected exit reason: own stop; `broken` with kind `crash`: signal.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from hardpoint import Context, Plugin, errors, tool


@dataclass
class Number:
    """What `count` returns: its schema says so."""

    n: int


class RelayPlugin(Plugin):
    """Passes things on."""

    name = "relay"
    version = "1.0.0"

    @tool
    def begin(self, text: str, size: int = 0) -> dict[str, Any]:
        """The text, and an image of that many bytes."""
        return {"text": text, "image": b"\x07" * size}

    @tool
    def shout(self, text: str) -> dict[str, Any]:
        """The text in capitals."""
        return {"text": text.upper(), "length": len(text)}

    @tool
    def weigh(self, image: memoryview) -> dict[str, Any]:
        """How many bytes the image has."""
        return {"weight": image.nbytes}

    @tool
    def keep(self, image: bytes) -> dict[str, Any]:
        """The image, as it came."""
        return {"image": image}

    @tool
    def count(self, text: str) -> Number:
        """How many letters the text has."""
        return Number(n=len(text))

    @tool(timeout_seconds=0.3)
    def brief(self, seconds: float) -> dict[str, Any]:
        """Sleeps, and says of itself that it takes less than half a second."""
        time.sleep(seconds)
        return {"slept": seconds}

    @tool
    def needs_text(self, n: str) -> dict[str, Any]:
        """Takes `n` as a text."""
        return {"n": n}

    @tool
    def needs_more(self, n: int, language: str) -> dict[str, Any]:
        """Takes something that `count` does not return."""
        return {"n": n, "language": language}

    @tool
    def words(self, text: str) -> list[str]:
        """A list has no names to pass on."""
        return text.split()

    @tool
    def nap(self, seconds: float, *, ctx: Context) -> dict[str, Any]:
        """Wait, but look whether the caller still does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ctx.check_cancel()
            time.sleep(0.01)
        return {"waited": seconds}

    @tool
    def broken(self, kind: str) -> dict[str, Any]:
        """Fail in that way: `input`, `transient`, or `crash`."""
        if kind == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if kind == "transient":
            raise errors.TransientError("the neighbour is busy")
        raise ValueError("this cannot be read")

    @tool
    def once_broken(self, file: str) -> dict[str, Any]:
        """Fail the first time, when the file is not there yet."""
        if os.path.exists(file):
            return {"mended": True}
        with open(file, "w", encoding="utf-8"):
            pass
        raise RuntimeError("not yet")

    @tool
    def once_busy(self, file: str) -> dict[str, Any]:
        """Fail the first time for a reason that passes, when the file is not there yet."""
        if os.path.exists(file):
            return {"woken": True}
        with open(file, "w", encoding="utf-8"):
            pass
        raise errors.TransientError("the neighbour is busy", retry_after_seconds=0.05)

    @tool
    def once_waits(self, file: str) -> dict[str, Any]:
        """Wait for ever the first time, when the file is not there yet."""
        if os.path.exists(file):
            return {"woken": True}
        with open(file, "w", encoding="utf-8"):
            pass
        while True:
            time.sleep(3600)
