"""Never finishes its import.

Promise: FAILED after the start-up timeout; other plugins start meanwhile.
Expected exit reason: start-up timeout.
"""

import time

from hardpoint import Plugin

while True:
    time.sleep(3600)


class HangAtImportPlugin(Plugin):
    """Never finishes its import."""

    name = "hang_at_import"
    version = "1.0.0"
