"""Takes more memory than it is allowed: in the worker itself, or in a child of the worker.

Promise: the limit holds for the whole tree while the call runs, the breach is charged to this plugin
with the measured figures, and the host and its neighbours keep their memory.
Expected exit reason: memory limit (out of memory when the kernel was faster).
"""

from __future__ import annotations

import subprocess
import sys
import time

from hardpoint import Plugin, tool

MIB = 1024 * 1024
PAGE_BYTES = 4096
CHUNK_MIB = 8

CHILD = """
import sys, time
blocks = []
for _ in range(int(sys.argv[1])):
    blocks.append(b"x" * 1048576)
time.sleep(float(sys.argv[2]))
"""


class MemoryHogPlugin(Plugin):
    """Takes memory and holds it."""

    name = "memory_hog"
    version = "1.0.0"

    @tool
    def allocate(self, mb: int, hold_seconds: float = 0.0) -> int:
        """Take that many MiB, touch every page, hold them."""
        blocks = []
        for taken in range(0, mb, CHUNK_MIB):
            block = bytearray(min(CHUNK_MIB, mb - taken) * MIB)
            block[::PAGE_BYTES] = b"x" * len(range(0, len(block), PAGE_BYTES))
            blocks.append(block)
        time.sleep(hold_seconds)
        return sum(len(block) for block in blocks) // MIB

    @tool
    def allocate_in_child(self, mb: int, hold_seconds: float = 0.0) -> int:
        """The same in a child process; the child's exit code."""
        command = [sys.executable, "-c", CHILD, str(mb), str(hold_seconds)]
        return subprocess.run(command, check=False).returncode
