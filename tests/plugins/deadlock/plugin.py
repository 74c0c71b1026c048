"""Waits for ever for a lock that it holds itself.

The interpreter is free, so the worker's I/O thread goes on answering: it is the main thread that is
stuck. Promise: health says since when, and the host ends the worker at the deadline.
Expected exit reason: deadline.
"""

import threading

from hardpoint import Plugin, tool


class DeadlockPlugin(Plugin):
    """Locks itself out."""

    name = "deadlock"
    version = "1.0.0"

    @tool
    def lock(self) -> None:
        """Take a lock twice."""
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
