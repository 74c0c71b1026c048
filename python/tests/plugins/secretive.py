"""Tells what the process of a worker with secrets looks like from inside."""

import ctypes
import os
import resource

from hardpoint import Plugin, tool

AT_IMPORT = os.environ.get("SECRETIVE_KEY")
PR_GET_DUMPABLE = 3


class Secretive(Plugin):
    """Has secrets."""

    name = "secretive"
    version = "1.0.0"

    @tool
    def looks(self) -> dict:
        """What the kernel says of it, and what its plugin sees."""
        return {
            "dumpable": ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
            "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
            "at_import": AT_IMPORT,
            "private": os.environ.get("HARDPOINT_PRIVATE"),
        }
