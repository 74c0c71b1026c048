"""Needs a package that does not exist, and says so in its manifest.

Promise: UNAVAILABLE before any code of the plugin runs, naming the package and the command that
would install it. Expected exit reason: none, no worker is started.
"""

import hardpoint_test_package_that_is_not_there  # noqa: F401

from hardpoint import Plugin


class MissingPackagePlugin(Plugin):
    """Needs a package that nobody has."""

    name = "missing_package"
    version = "1.0.0"
