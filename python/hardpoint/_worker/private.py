"""A worker that is given secrets closes itself to other processes of its user.

Owns: what the kernel is told about it. Must not know: what the secrets are for. It happens before any is
read, because plugins of one host run as one user, and the kernel otherwise lets each of them read the
others' memory.
"""

from __future__ import annotations

import os
import sys

from hardpoint._worker.title import set_title

__all__ = ["close_off", "take_over"]

_PR_SET_DUMPABLE = 4
# With less than a page no core file is written; with 0 one is still piped to a program that collects them.
_CORE_BYTES = 1


def close_off(instance: str) -> None:
    """Let no other process look in, and write no core file, here or in what is started from here."""
    tree = os.environ.get("HARDPOINT_TREE", "")
    # Of all that says whose this process is, the next host can still read its command line.
    set_title(instance, f"HARDPOINT_TREE={tree}" if tree else "")
    if sys.platform != "linux":
        return
    import ctypes
    import resource

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the worker cannot be closed to other processes")
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    limit = 0 if hard == 0 else _CORE_BYTES
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def take_over(secrets: object) -> None:
    """Put secrets where plugins look for them; what the process was started with does not hold them."""
    if isinstance(secrets, dict):
        for name, value in secrets.items():
            if type(name) is str and type(value) is str:
                os.environ[name] = value
