"""Keeps a record of its own of every try that it is asked to make: what a host says can be held against it.

Each job has a file in the folder that `CHAOS_WITNESS` names. A try, `STAGE.NUMBER`, adds `begin TRY PROCESS
BIRTH` when its tool is entered and `end TRY how` when it is left; `overlap TRY OTHER` when another one of its
job lives.
Promise: no stage runs twice at once, and none that the database does not know. Expected exit reason: any.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hardpoint import Context, Plugin, errors, tool

FOLDER = os.environ.get("CHAOS_WITNESS", "")
MIB = 1024 * 1024
HOG_MIB = 256


class WitnessPlugin(Plugin):
    """Works, fails, dies and hangs on request, and writes down that it did."""

    name = "witness"
    version = "1.0.0"

    @tool
    def quick(self, tag: int, *, ctx: Context) -> dict[str, int]:
        """Answer at once."""
        with witnessed(ctx):
            return answer(tag, ctx)

    @tool
    def slow(self, tag: int, seconds: float, *, ctx: Context) -> dict[str, int]:
        """Answer after a while; look every few milliseconds whether somebody still waits."""
        with witnessed(ctx):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                ctx.check_cancel()
                time.sleep(0.005)
            return answer(tag, ctx)

    @tool
    async def doze(self, tag: int, seconds: float, *, ctx: Context) -> dict[str, int]:
        """Answer after a while in the event loop."""
        with witnessed(ctx):
            await asyncio.sleep(seconds)
            return answer(tag, ctx)

    @tool
    def sleep(self, tag: int, seconds: float, *, ctx: Context) -> dict[str, int]:
        """Answer after a while without looking up."""
        with witnessed(ctx):
            time.sleep(seconds)
            return answer(tag, ctx)

    @tool
    def late(self, tag: int, *, ctx: Context) -> dict[str, int]:
        """Take longer than the manifest allows."""
        with witnessed(ctx):
            time.sleep(30)
            return answer(tag, ctx)

    @tool
    def progress(self, tag: int, steps: int, *, ctx: Context) -> dict[str, int]:
        """Say how far it is, often."""
        with witnessed(ctx):
            for step in range(1, steps + 1):
                ctx.progress(step / steps, f"step {step} of {steps}")
                time.sleep(0.002)
            return answer(tag, ctx)

    @tool
    def large(self, tag: int, kib: int, *, ctx: Context) -> dict[str, Any]:
        """Bring a result that takes room on disk."""
        with witnessed(ctx):
            return {**answer(tag, ctx), "padding": "x" * (kib * 1024)}

    @tool
    def flaky(self, tag: int, *, ctx: Context) -> dict[str, int]:
        """Fail the first time."""
        with witnessed(ctx):
            if number(ctx) == 1:
                raise errors.TransientError("not yet", retry_after_seconds=0.03)
            return answer(tag, ctx)

    @tool
    def fail(self, tag: int, category: str, *, ctx: Context) -> None:
        """Fail every time."""
        with witnessed(ctx):
            raise errors.PluginError(f"{tag} fails", category=category, retry_after_seconds=0.03)

    @tool
    def die(self, tag: int, how: str, *, ctx: Context) -> None:
        """End the process: `signal`, `exit` or `memory`."""
        with witnessed(ctx):
            if how == "signal":
                ctypes.string_at(0)
            if how == "exit":
                os._exit(17)
            block = bytearray(HOG_MIB * MIB)
            block[::4096] = b"x" * len(range(0, len(block), 4096))
            time.sleep(30)

    @tool
    def leave(self, tag: int, *, ctx: Context) -> dict[str, int]:
        """Leave a process behind that nobody asked for."""
        with witnessed(ctx):
            sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
            subprocess.Popen(sleeper, start_new_session=True)
            return answer(tag, ctx)

    @tool
    def spin(self, tag: int, *, ctx: Context) -> None:
        """Loop in C, for ever, with the interpreter's lock held."""
        with witnessed(ctx):
            deque(itertools.repeat(None), maxlen=0)


def answer(tag: int, ctx: Context) -> dict[str, int]:
    return {"tag": tag, "attempt": number(ctx)}


def number(ctx: Context) -> int:
    return int(ctx.job["attempt"]) if ctx.job else 0


@contextmanager
def witnessed(ctx: Context) -> Iterator[None]:
    """Around what a tool does; a plain call leaves no trace."""
    if not FOLDER or not ctx.job:
        yield
        return
    path, this = os.path.join(FOLDER, ctx.job["job_id"]), f"{ctx.job['stage']}.{number(ctx)}"
    for other in still_alive(path):
        write(path, f"overlap {this} {other}")
    write(path, f"begin {this} {os.getpid()} {birth(os.getpid())}")
    how = "failed"
    try:
        yield
        how = "ok"
    finally:
        write(path, f"end {this} {how}")


def still_alive(path: str) -> list[str]:
    """The tries of a job that began and did not end, whose processes live."""
    try:
        with open(path, encoding="ascii") as file:
            lines = [line.split() for line in file]
    except FileNotFoundError:
        return []
    ended = {words[1] for words in lines if words[0] == "end"}
    begun = [words[1:] for words in lines if words[0] == "begin" and words[1] not in ended]
    return [attempt for attempt, process, born in begun if birth(int(process)) == born]


def birth(process: int) -> str:
    """When a living process began, in ticks of the kernel; empty for a dead one."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def write(path: str, line: str) -> None:
    """One line, in one step."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode("ascii"))
    finally:
        os.close(file)
