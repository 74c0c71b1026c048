"""Loops for ever in Python code, once politely and once swallowing every exception.

Promise: the first ends by the interrupt inside the worker, the second by the kill that follows;
the caller has its answer within timeout + grace either way.
Expected exit reason: own stop later on for `spin` (the worker lives), deadline for `swallow`.
"""

from hardpoint import Plugin, tool


class PyLoopPlugin(Plugin):
    """Spins in byte code."""

    name = "py_loop"
    version = "1.0.0"

    @tool
    def spin(self) -> None:
        """Loop until an exception comes from outside."""
        while True:
            pass

    @tool
    def swallow(self) -> None:
        """Loop, and take no exception for an answer."""
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
