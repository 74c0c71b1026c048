"""Ends its process while it is imported: no exception, no farewell.

Promise: FAILED at once, without waiting for the start-up timeout.
Expected exit reason: exit code (9).
"""

import os

from hardpoint import Plugin

os._exit(9)


class OsExitAtImportPlugin(Plugin):
    """Ends its process while it is imported."""

    name = "os_exit_at_import"
    version = "1.0.0"
