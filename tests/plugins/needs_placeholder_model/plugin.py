"""Has a text where its model should be, as published plugins do.

Promise: UNAVAILABLE before any code of the plugin runs, naming the file and what it is.
Expected exit reason: none, no worker is started.
"""

from hardpoint import Plugin


class NeedsPlaceholderModelPlugin(Plugin):
    """Needs a model and has a note in its place."""

    name = "needs_placeholder_model"
    version = "1.0.0"
