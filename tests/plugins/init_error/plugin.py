"""Raises in its constructor.

Promise: FAILED with the exception as the reason; the host and all other plugins go on.
Expected exit reason: own stop (the host ends a worker that cannot serve).
"""

from hardpoint import Plugin


class InitErrorPlugin(Plugin):
    """Raises in its constructor."""

    name = "init_error"
    version = "1.0.0"

    def __init__(self) -> None:
        raise RuntimeError("the constructor gives up")
