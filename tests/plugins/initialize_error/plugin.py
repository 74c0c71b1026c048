"""Raises in initialize.

Promise: FAILED with the exception as the reason; the host and all other plugins go on.
Expected exit reason: own stop (the host ends a worker that cannot serve).
"""

from typing import Any

from hardpoint import Plugin


class InitializeErrorPlugin(Plugin):
    """Raises in initialize."""

    name = "initialize_error"
    version = "1.0.0"

    def initialize(self, config: dict[str, Any]) -> None:
        raise RuntimeError("initialize gives up")
