"""Ignores SIGTERM and SIGINT and never returns.

Promise: the kill ladder climbs to SIGKILL within the grace period.
Expected exit reason: deadline.
"""

import ctypes
import signal
import time

from hardpoint import Plugin, tool

IGNORE = 1  # SIG_IGN of C


class IgnoresSigtermPlugin(Plugin):
    """Takes no polite request to end."""

    name = "ignores_sigterm"
    version = "1.0.0"

    @tool
    def hang(self) -> None:
        """Ignore the polite signals, then sleep, whatever exception comes."""
        # Through C, because Python lets only its main thread set handlers.
        set_handler = ctypes.CDLL(None).signal
        set_handler.argtypes = [ctypes.c_int, ctypes.c_void_p]
        set_handler.restype = ctypes.c_void_p
        for number in (signal.SIGTERM, signal.SIGINT):
            set_handler(number, IGNORE)
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                continue
