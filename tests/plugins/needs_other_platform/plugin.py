"""Runs only on a machine that nobody has.

Promise: UNAVAILABLE before any code of the plugin runs, naming this machine and the list.
Expected exit reason: none, no worker is started.
"""

from hardpoint import Plugin


class NeedsOtherPlatformPlugin(Plugin):
    """Runs on a machine that nobody has."""

    name = "needs_other_platform"
    version = "1.0.0"
