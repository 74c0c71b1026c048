"""Has a model whose header speaks of 8 bytes where 3 are.

Promise: UNAVAILABLE before any code of the plugin runs, naming the file and both numbers.
Expected exit reason: none, no worker is started.
"""

from hardpoint import Plugin


class NeedsTruncatedModelPlugin(Plugin):
    """Needs a model that was not downloaded to its end."""

    name = "needs_truncated_model"
    version = "1.0.0"
