"""Says what it is told to say, on every way there is: prints, logs, child processes, threads.

Promise: every line is in the slice of the job that said it and in no other, however close jobs and plain
calls follow each other, and however they end. Expected exit reason: own stop; in `die` a segmentation fault.
"""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import threading
import time

from hardpoint import Context, Plugin, errors, tool


class TalksPlugin(Plugin):
    """Talks."""

    name = "talks"
    version = "1.0.0"

    @tool
    def talk(self, word: str, *, ctx: Context) -> int:
        """Say the word on each way; how many lines that were."""
        print(f"{word} print")
        sys.stdout.write(f"{word} write\n")
        sys.stderr.write(f"{word} stderr\n")
        os.write(1, f"{word} os 1\n".encode())
        os.write(2, f"{word} os 2\n".encode())
        subprocess.run([sys.executable, "-S", "-c", f"print('{word} child')"], check=True)
        logging.getLogger("talks.deep").warning("%s logging", word)
        ctx.info(f"{word} context")
        thread = threading.Thread(target=self._in_thread, args=(word, ctx))
        thread.start()
        thread.join()
        print(f"{word} without an end", end="")
        return 12

    def _in_thread(self, word: str, ctx: Context) -> None:
        print(f"{word} thread")
        logging.getLogger("talks").error("%s thread logging", word)
        ctx.debug(f"{word} thread context")

    @tool
    def count(self, word: str, lines: int, pause: float = 0.0) -> int:
        """Print that many numbered lines, all of them flushed by their end alone."""
        for line in range(lines):
            print(f"{word} {line}")
            time.sleep(pause)
        return lines

    @tool
    def stage(self, words: list[str]) -> dict[str, list[str]]:
        """Say the first of the words; the others are left to the next stage."""
        print(f"{words[0]} printed")
        logging.getLogger("talks").info("%s logged", words[0])
        return {"words": words[1:]}

    @tool
    def flood(self, word: str, megabytes: int) -> int:
        """Print that much, and a last line; how many lines were before it."""
        line = f"{word} ".encode() + b"x" * 500 + b"\n"
        block = line * 1000
        lines = 0
        while lines * len(line) < megabytes << 20:
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(1, rest) :]
            lines += 1000
        print(f"{word} the end")
        return lines

    @tool
    def fail(self, word: str) -> None:
        """Print, then fail in a way that may pass."""
        print(f"{word} before it failed")
        raise errors.TransientError(f"{word} is the reason")

    @tool
    def die(self, word: str) -> None:
        """Print, then die."""
        print(f"{word} before it died")
        ctypes.string_at(0)

    @tool
    def until(self, word: str, path: str, *, ctx: Context) -> str:
        """Print, wait until there is a file, print again."""
        print(f"{word} waits")
        while not os.path.exists(path):
            ctx.check_cancel()
            time.sleep(0.005)
        print(f"{word} goes on")
        return word
