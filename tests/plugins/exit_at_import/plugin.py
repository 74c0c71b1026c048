"""Calls sys.exit while it is imported.

Promise: SystemExit is caught like any other failure of an import: FAILED, host unharmed.
Expected exit reason: exit code (7 is named in the reason).
"""

import sys

from hardpoint import Plugin

sys.exit(7)


class ExitAtImportPlugin(Plugin):
    """Calls sys.exit while it is imported."""

    name = "exit_at_import"
    version = "1.0.0"
