"""Does nothing: what a job costs when its tool costs nothing."""

from __future__ import annotations

import asyncio
import time

from hardpoint import Plugin, tool


class Noop(Plugin):
    """Nothing, and the time at which it was done."""

    name = "noop"
    version = "1.0.0"

    @tool
    async def nothing(self) -> None:
        """Return at once."""

    @tool
    async def now(self) -> int:
        """The clock that all processes of a machine share, in nanoseconds."""
        return time.monotonic_ns()

    @tool
    async def park(self) -> None:
        """Keep a place until somebody cancels it."""
        await asyncio.sleep(86400)
