"""Leaves a crowd of descendants behind that nobody asked for.

Every one is forked twice, so its parent is gone; every second one has a session of its own; every
third one keeps stdout, stderr and the protocol socket open; all ignore the polite signals.
Promise: no grandchild outlives its worker, however the worker ends.
Expected exit reason: own stop (`return`), deadline (`hang`), signal (`crash`).
"""

from __future__ import annotations

import os
import signal
import struct
import time

from hardpoint import Plugin, tool

COUNT_MAX = 200
DESCRIPTORS_MAX = 1024
POLITE_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ForkBombPlugin(Plugin):
    """Forks and forgets."""

    name = "fork_bomb"
    version = "1.0.0"

    @tool
    def spread(
        self, count: int = 50, ending: str = "return", pid_file: str = "", bare: bool = False
    ) -> list[int]:
        """Leave `count` descendants behind, then `return` their pids, `hang`, or `crash`.

        The pids are also written to `pid_file`, one a line, for endings that return nothing. With `bare` they
        have an empty environment.
        """
        pids = [fork_twice(index, bare) for index in range(min(count, COUNT_MAX))]
        if pid_file:
            with open(pid_file, "w", encoding="utf-8") as file:
                file.writelines(f"{pid}\n" for pid in pids)
        if ending == "hang":
            while True:
                time.sleep(3600)
        if ending == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        return pids


def fork_twice(index: int, bare: bool) -> int:
    """Start a process whose parent is gone; its pid."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            sleep_for_ever(index, bare)
        os.write(writer, struct.pack("=q", grandchild))
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    (pid,) = struct.unpack("=q", os.read(reader, 8))
    os.close(reader)
    return int(pid)


def sleep_for_ever(index: int, bare: bool) -> None:
    for number in POLITE_SIGNALS:
        ignore(number)
    if index % 2 == 0:
        os.setsid()
    if index % 3 != 0:
        os.closerange(0, DESCRIPTORS_MAX)
    if bare:
        os.execve("/bin/sleep", ["sleep", "3600"], {})
    while True:
        time.sleep(3600)


def ignore(number: int) -> None:
    """Ignore a signal; the child of a fork has one thread, and Python counts that one as the main thread."""
    signal.signal(number, signal.SIG_IGN)
