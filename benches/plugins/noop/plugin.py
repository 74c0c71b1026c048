"""Does nothing: what a job costs when its tool costs nothing."""

from __future__ import annotations

import asyncio
import time

from hardpoint import Plugin, tool


class Noop(Plugin):
    """Nothing, and the time at which it was done."""

    name = "noop"
    version = "1.0.0"
    held = b""

    @tool
    async def nothing(self) -> None:
        """Return at once."""

    @tool
    async def empty(self) -> dict[str, object]:
        """Pass nothing on."""
        return {}

    @tool
    async def hold(self, bytes: int) -> dict[str, object]:
        """Pass on that many bytes, the same ones each time."""
        if len(self.held) != bytes:
            self.held = b"\x07" * bytes
        return {"data": self.held}

    @tool
    async def weigh(self, data: memoryview) -> dict[str, object]:
        """Look at what was passed on without taking a copy."""
        return {"bytes": data.nbytes}

    @tool
    async def now(self) -> int:
        """The clock that all processes of a machine share, in nanoseconds."""
        return time.monotonic_ns()

    @tool
    async def park(self) -> None:
        """Keep a place until somebody cancels it."""
        await asyncio.sleep(86400)
