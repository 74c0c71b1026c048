"""Prints far more than anybody wants to read: endless lines, tiny lines, bytes that are no UTF-8.

Promise: the host's memory stays bounded, the output that is kept says how much was dropped, the
protocol is untouched because it has a socket of its own, and the call returns its result.
Expected exit reason: own stop.
"""

import os

from hardpoint import Plugin, tool

MIB = 1024 * 1024
BLOCKS = (
    b"x" * MIB,  # a megabyte without an end of line
    b"tiny\n" * (MIB // 5),
    b"\xff\xfe\x80 no text\n" * (MIB // 12),
    b"\0" * 4096 + b"\n",
    b"\x1b[2J\x1b[31mred\r\n",  # what a terminal would act upon
)


class FloodsStdoutPlugin(Plugin):
    """Prints without end."""

    name = "floods_stdout"
    version = "1.0.0"

    @tool
    def flood(self, megabytes: int = 100, stream: str = "stdout") -> int:
        """Write that much to stdout or stderr; how many bytes were written."""
        descriptor = {"stdout": 1, "stderr": 2}[stream]
        written = 0
        turn = 0
        while written < megabytes * MIB:
            block = BLOCKS[turn % len(BLOCKS)]
            turn += 1
            while block:
                taken = os.write(descriptor, block)
                written += taken
                block = block[taken:]
        return written
