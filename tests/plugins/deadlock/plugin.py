"""Waits for ever for a lock that it holds itself, in native code.

No exception and no signal gets it out, but the interpreter is free, so the worker's I/O thread goes on
answering: it is the main thread that is stuck. Promise: health says since when, and the host ends the
worker at the deadline. Expected exit reason: deadline.
"""

import ctypes

from hardpoint import Plugin, tool

MUTEX_BYTES = 64  # More than any platform's pthread_mutex_t; all zeros is a plain mutex that is free.


class DeadlockPlugin(Plugin):
    """Locks itself out."""

    name = "deadlock"
    version = "1.0.0"

    @tool
    def lock(self) -> None:
        """Take a mutex twice."""
        mutex = ctypes.create_string_buffer(MUTEX_BYTES)
        native = ctypes.CDLL(None)
        native.pthread_mutex_lock(mutex)
        native.pthread_mutex_lock(mutex)
