"""Keeps what it takes, as a model in memory does.

Promise: the scheduler knows what it holds, lets others have it when nobody calls it, and brings it back
with its next call.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from hardpoint import Context, Plugin, ResourceError, ResourceShortfall, tool

MIB = 1024 * 1024
PAGE_BYTES = 4096


class HolderPlugin(Plugin):
    """Holds memory between calls."""

    version = "1.0.0"

    def initialize(self, _config: dict[str, Any]) -> None:
        """Hold nothing yet."""
        self.held = bytearray()

    @tool
    def hold(self, mb: int) -> dict[str, int]:
        """Hold that many MiB from now on; the process and what it holds."""
        if len(self.held) != mb * MIB:
            self.held = bytearray()
            self.held = taken(mb)
        return {"pid": os.getpid(), "mb": len(self.held) // MIB}

    @tool
    def work(self, mb: int, seconds: float, *, ctx: Context) -> int:
        """Hold that many MiB for as long as the call takes; ends early when it is cancelled."""
        working = taken(mb)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ctx.check_cancel()
            time.sleep(0.01)
        return len(working) // MIB

    @tool
    def lack(self, once: str, mb: float) -> int:
        """Lack memory the first time, told by a file; then the process."""
        if Path(once).exists():
            return os.getpid()
        Path(once).write_text(str(os.getpid()), encoding="utf-8")
        shortfall = ResourceShortfall(resource="system_ram_mb", needed=mb, available=0.0)
        raise ResourceError("no memory for the model", resource_shortfall=shortfall)


def taken(mb: int) -> bytearray:
    """That many MiB, every page of them touched."""
    block = bytearray(mb * MIB)
    block[::PAGE_BYTES] = b"x" * len(range(0, len(block), PAGE_BYTES))
    return block
