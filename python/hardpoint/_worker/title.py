"""The name `ps` and `top` show for this worker.

Owns: the process title. Must not know: anything else. Where the system does not allow it, nothing happens.
"""

from __future__ import annotations

import os

__all__ = ["set_title"]


def set_title(instance: str, mark: str = "") -> None:
    """Show `hardpoint: <instance>` instead of the command line, and behind it a mark that fits whole."""
    title = f"hardpoint: {instance}".encode("utf-8", "replace").replace(b"\0", b"")
    marked = title + b"\0" + mark.encode("utf-8", "replace")
    try:
        with open("/proc/self/comm", "wb", 0) as comm:
            comm.write(title[11:26])
        with open("/proc/self/stat", "rb", 0) as stat:
            # The second field is the name in parentheses and may hold anything; 48 and 49 are
            # where the kernel reads the command line from.
            fields = stat.read(4096).rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        size = end - start
        if 16 < size < 65536:
            if mark and len(marked) < size:
                title = marked
            with open("/proc/self/mem", "r+b", 0) as memory:
                os.lseek(memory.fileno(), start, os.SEEK_SET)
                memory.write(title[: size - 1].ljust(size, b"\0"))
    except (OSError, ValueError, IndexError, OverflowError):
        return
