"""Needs a model file that is not there.

Promise: UNAVAILABLE before any code of the plugin runs, naming the file.
Expected exit reason: none, no worker is started.
"""

from hardpoint import Plugin


class NeedsMissingModelPlugin(Plugin):
    """Needs a model that is not there."""

    name = "needs_missing_model"
    version = "1.0.0"
