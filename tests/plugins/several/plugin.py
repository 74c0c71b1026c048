"""Tells its instances apart: by their configuration, what they print, and how many calls they run at once.

Promise: nothing that is done with one instance is seen in another. Expected exit reason: own stop.
"""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hardpoint import Plugin, tool


@dataclass
class Config:
    """What can be set."""

    tag: str = field(default="plain", metadata={"pattern": "^[a-z]*$"})
    level: int = field(default=1, metadata={"minimum": 1, "maximum": 9})


class Several(Plugin):
    """One class, many workers."""

    name = "several"
    version = "1.0.0"
    Config = Config

    def initialize(self, config: Config) -> None:
        if (Path(__file__).parent / "broken").exists():
            raise RuntimeError("the model is broken")
        self._config = config
        self._guests = threading.Barrier(2)

    @tool
    def given(self) -> dict[str, Any]:
        """What it goes by, and in which process."""
        return {**asdict(self._config), "pid": os.getpid()}

    @tool
    def say(self, text: str) -> str:
        """Print a text."""
        print(text, flush=True)
        return self._config.tag

    @tool
    def meet(self) -> bool:
        """Whether another call of this tool runs in the same worker within a second."""
        try:
            self._guests.wait(timeout=1)
        except threading.BrokenBarrierError:
            self._guests.reset()
            return False
        return True

    @tool
    def end(self) -> None:
        """End the worker."""
        os._exit(3)
