"""Needs a GPU, and no torch: on a machine whose driver lists a device it starts.

Promise: UNAVAILABLE before any code of the plugin runs, saying what the driver said.
Expected exit reason: none, no worker is started.
"""

from hardpoint import Plugin


class NeedsGpuPlugin(Plugin):
    """Needs a GPU."""

    name = "needs_gpu"
    version = "1.0.0"
