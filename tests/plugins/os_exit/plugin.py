"""Ends its process in the middle of a call, past every `finally` and exit handler.

Promise: a vanished worker is a typed answer to its caller, not a hang.
Expected exit reason: exit code (42).
"""

import os

from hardpoint import Plugin, tool


class OsExitPlugin(Plugin):
    """Leaves without a word."""

    name = "os_exit"
    version = "1.0.0"

    @tool
    def leave(self, code: int = 42) -> None:
        """End the process at once."""
        os._exit(code)
