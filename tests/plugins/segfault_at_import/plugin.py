"""Reads address 0 while it is imported, like a native extension built for another machine.

Promise: FAILED at once, with the signal as the reason.
Expected exit reason: signal (SIGSEGV).
"""

import ctypes

from hardpoint import Plugin

ctypes.string_at(0)


class SegfaultAtImportPlugin(Plugin):
    """Reads address 0 while it is imported."""

    name = "segfault_at_import"
    version = "1.0.0"
