"""Leaves temporary files and shared memory behind, as crashed libraries do.

Promise: what a worker leaves in its temporary folder goes with it, and Python's resource tracker, a
child of the worker, is given the time to remove the shared memory. Expected exit reason: own stop, or
signal 11 after `litter_and_crash`.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from multiprocessing import shared_memory
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
        # Kept and never closed: nobody but Python's resource tracker can remove it.
        self._memory = shared_memory.SharedMemory(create=True, size=4096)
        return {"temp": tempfile.gettempdir(), "folder": folder, "files": paths, "memory": self._memory.name}

    @tool
    def litter_and_crash(self) -> None:
        """Leave the same, and end in a segmentation fault."""
        self.litter()
        ctypes.string_at(0)
