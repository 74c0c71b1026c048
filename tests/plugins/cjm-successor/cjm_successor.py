"""A plugin of the contract's successor, whose package and names are others.

Promise: it runs when it executes by itself. Its environment needs `cjm-substrate`.
Expected exit reason: own stop.
"""

from __future__ import annotations

import time
from typing import Any

from cjm_substrate.core import errors
from cjm_substrate.core.capability import ToolCapability, capability_action


class Successor(ToolCapability):
    """Beats, and stops when it is told to."""

    name = "successor"
    version = "0.1.0"

    def initialize(self, config: Any = None) -> None:
        self.config = config

    def get_config_schema(self) -> dict:
        return {}

    def get_current_config(self) -> dict:
        return {}

    def execute(self, action: str = "", **kwargs: Any) -> Any:
        return {"beat": self._beat, "fail": self._fail}[action](**kwargs)

    @capability_action("beat")
    def _beat(self, name: str = "") -> Any:
        """Beat until it is cancelled."""
        self.report_progress(0.25, name)
        with self.heartbeat(phase=name, progress=0.5, interval=0.02):
            while True:
                self.check_cancel()
                time.sleep(0.002)

    @capability_action("fail")
    def _fail(self) -> Any:
        raise errors.CapabilityTransientError("busy", retry_after_seconds=1.5)


class Moved(ToolCapability):
    """Its tasks moved to adapters."""

    name = "moved"
    version = "0.2.0"
    initialize = Successor.initialize
    get_config_schema = Successor.get_config_schema
    get_current_config = Successor.get_current_config
