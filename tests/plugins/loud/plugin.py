"""Tells of its progress at length, again and again.

Promise: whoever follows events and takes none of them costs the host a bounded amount of memory, is
dropped, and slows nobody. Expected exit reason: own stop.
"""

import time

from hardpoint import Context, Plugin, tool


class LoudPlugin(Plugin):
    """Talks and talks."""

    name = "loud"
    version = "1.0.0"

    @tool
    def talk(self, n_bytes: int, *, ctx: Context) -> None:
        """Say something of that many bytes twenty times a second, until nobody wants to hear it."""
        word = 0
        while True:
            ctx.check_cancel()
            word += 1
            ctx.progress(None, f"{word} ".ljust(n_bytes, "x"))
            time.sleep(0.05)
