"""Marks in the worker's output: from here on the lines belong to this call of a job.

Owns: the way to the pipes that the host reads, and what they were told last. Must not know: when calls
begin and end. Loaded with the first call that belongs to a job.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

from hardpoint._worker.limits import MARK_SECONDS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.worker import Pipe

__all__ = ["Marks"]


class Marks:
    """What the host knows of whose the output is. Never to be used where an interrupt may be raised."""

    def __init__(self, pipes: list[Pipe]) -> None:
        # Emptied in a child that the plugin forks: its parent goes on telling.
        self._pipes = pipes
        self._told = 0
        self._lock = allocate_lock()

    def begin(self, call_id: int) -> None:
        """From here on what is written belongs to this call; 0: to none."""
        if self._pipes:
            with self._lock:
                if self._told != call_id:
                    self._tell(call_id)

    def end(self, call_id: int) -> None:
        """What is written from here on no longer belongs to this call."""
        if self._pipes:
            with self._lock:
                if self._told == call_id:
                    self._tell(0)

    def _tell(self, call_id: int) -> None:
        self._told = call_id
        for stream in (sys.stdout, sys.stderr):
            # What is buffered was written before. The stream may be the plugin's own.
            try:
                stream.flush()
            except BaseException:
                continue
        # A line of its own, in one write, so that nobody else's text comes in between.
        mark = b"\n\x1ehardpoint call %d\n" % call_id
        for fd, identity in self._pipes:
            try:
                # A plugin that closes descriptors which are not its own may have opened others since.
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) == identity:
                    _write(fd, mark)
            except OSError:
                continue


def _write(fd: int, mark: bytes) -> None:
    try:
        os.write(fd, mark)
    except BlockingIOError:
        # The plugin took the blocking out of its stdout, and the pipe is full for a moment.
        from select import POLLOUT, poll

        poller: Any = poll()
        poller.register(fd, POLLOUT)
        poller.poll(MARK_SECONDS_MAX * 1000)
        os.write(fd, mark)
