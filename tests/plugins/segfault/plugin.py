"""Reads address 0 in a tool, like a broken native extension.

Promise: the caller gets a typed answer at once, every other plugin goes on, the plugin is FAILED.
Expected exit reason: signal (SIGSEGV).
"""

import ctypes

from hardpoint import Plugin, tool


class SegfaultPlugin(Plugin):
    """Dies by signal."""

    name = "segfault"
    version = "1.0.0"

    @tool
    def crash(self) -> None:
        """Read address 0."""
        ctypes.string_at(0)

    @tool
    def abort(self) -> None:
        """Call abort(), as a failed assertion in C does."""
        ctypes.CDLL(None).abort()
