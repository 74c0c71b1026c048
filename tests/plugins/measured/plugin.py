"""A plugin that uses so much memory, so much of the processor and so many units, each when it is asked.

Promise: what calls use is measured while they run, their short peaks too, and remembered under the
configuration that they were made with. Expected exit reason: own stop.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hardpoint import Context, InputError, Plugin, tool


@dataclass
class Config:
    """What can be changed while it runs."""

    quality: int = 1


class MeasuredPlugin(Plugin):
    """Allocates, burns, counts, fails."""

    name = "measured"
    version = "1.0.0"
    description = "Uses so much of the machine, on request."
    Config = Config

    def initialize(self, config: Config) -> None:
        """Nothing has to be done."""

    def reconfigure(self, old: Config, new: Config) -> None:
        """Nor here."""

    @tool
    def use(self, mb: int, cpu_seconds: float, fail: bool = False, *, ctx: Context) -> int:
        """Hold memory for a moment, burn processor time, account for it, and fail if that is wanted."""
        ctx.usage(tokens=5.0, pages=1.0)
        held = bytearray(mb << 20)
        for page in range(0, len(held), 4096):
            held[page] = 1
        del held
        end = time.process_time() + cpu_seconds
        while time.process_time() < end:
            pass
        ctx.usage(tokens=2.0)
        if fail:
            raise InputError("it was asked to fail")
        return mb

    @tool
    def stream(self, items: int, *, ctx: Context) -> Iterator[int]:
        """Account for each item."""
        for item in range(items):
            ctx.usage(items=1.0)
            yield item

    @tool
    def in_a_child(self, mb: int) -> int:
        """Let a child hold memory, for longer than a look at it takes to come."""
        code = f"import time; held = b'x' * ({mb} << 20); time.sleep(0.4)"
        return subprocess.run([sys.executable, "-c", code], check=True).returncode
