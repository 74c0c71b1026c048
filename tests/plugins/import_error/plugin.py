"""Imports a module that does not exist and that its manifest does not mention.

Promise: FAILED with the exception as the reason and the traceback in the log, visible in every list.
Expected exit reason: exit code (the worker reports the error and ends itself).
"""

import hardpoint_test_module_that_is_not_there  # noqa: F401

from hardpoint import Plugin


class ImportErrorPlugin(Plugin):
    """Imports a module that does not exist."""

    name = "import_error"
    version = "1.0.0"
