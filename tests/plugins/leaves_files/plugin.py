"""Leaves temporary files and shared memory behind, as crashed libraries do.

Promise: what a worker leaves in its temporary folder goes with it; shared memory is looked for and
reported. Expected exit reason: own stop, or signal when the test kills it.
"""

from __future__ import annotations

import os
import tempfile
from multiprocessing import resource_tracker, shared_memory
from typing import Any

from hardpoint import Plugin, tool


class LeavesFilesPlugin(Plugin):
    """Cleans up nothing."""

    name = "leaves_files"
    version = "1.0.0"

    @tool
    def litter(self, files: int = 3) -> dict[str, Any]:
        """Leave files, a folder and a piece of shared memory; where they are."""
        folder = tempfile.mkdtemp(prefix="litter-")
        paths = []
        for _ in range(files):
            descriptor, path = tempfile.mkstemp(dir=folder)
            os.write(descriptor, b"left behind")
            os.close(descriptor)
            paths.append(path)
        # Kept, so that the memory is still mapped; forgotten by the tracker, so that nobody unlinks it.
        self._memory = shared_memory.SharedMemory(create=True, size=4096)
        resource_tracker.unregister("/" + self._memory.name.lstrip("/"), "shared_memory")
        return {"temp": tempfile.gettempdir(), "folder": folder, "files": paths, "memory": self._memory.name}
