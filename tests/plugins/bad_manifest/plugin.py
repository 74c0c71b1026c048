"""Sound code behind a manifest with several errors.

Promise: the host names all errors of the manifest at once, and never starts a worker for it.
Expected exit reason: none, no worker is started.
"""

from hardpoint import Plugin


class BadManifestPlugin(Plugin):
    """Never gets to run."""

    name = "bad_manifest"
    version = "1.0.0"
