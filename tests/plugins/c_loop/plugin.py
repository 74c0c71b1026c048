"""Never returns from C code and never gives up the interpreter lock.

No Python signal handler runs and no other Python thread moves, so the worker cannot answer a ping
either. Promise: the caller still has its answer within timeout + grace, because the host kills.
Expected exit reason: deadline.
"""

import collections
import itertools

from hardpoint import Plugin, tool


class CLoopPlugin(Plugin):
    """Spins inside the interpreter's own C code."""

    name = "c_loop"
    version = "1.0.0"

    @tool
    def spin(self) -> None:
        """Feed an endless iterator into a queue that keeps nothing: both ends are C code."""
        collections.deque(itertools.repeat(None), maxlen=0)
