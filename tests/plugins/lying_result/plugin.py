"""Returns values that JSON, or a frame, cannot carry.

Promise: NaN becomes null and is counted in the log; every other value fails its own call with a typed
error, and the worker serves the next call. Expected exit reason: own stop.
"""

from __future__ import annotations

from typing import Any

from hardpoint import Plugin, tool

MIB = 1024 * 1024


class LyingResultPlugin(Plugin):
    """Returns what no client could read."""

    name = "lying_result"
    version = "1.0.0"

    @tool
    def nan(self) -> Any:
        """Not a number, and both infinities."""
        return {"values": [float("nan"), float("inf"), float("-inf"), 1.5]}

    @tool
    def huge_int(self) -> Any:
        """An integer beyond 64 bits."""
        return 2**64

    @tool
    def surrogate(self) -> Any:
        """Half of a character."""
        return "\ud800"

    @tool
    def a_set(self) -> Any:
        """A type that JSON does not know."""
        return {1, 2, 3}

    @tool
    def deep(self, levels: int = 200) -> Any:
        """A list in a list in a list."""
        value: list[Any] = []
        for _ in range(levels - 1):
            value = [value]
        return value

    @tool
    def long_string(self, megabytes: int = 20) -> Any:
        """A string that no header can hold."""
        return "x" * (megabytes * MIB)
