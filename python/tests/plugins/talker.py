"""Says something on every way there is."""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
from typing import Iterator

from hardpoint import Context, Plugin, tool


class Unhappy(Exception):
    def __str__(self) -> str:
        print("asked for its words")
        return "unhappy"


class Talker(Plugin):
    name = "talker"
    version = "1.0.0"

    def initialize(self, config: dict) -> None:
        self.said = threading.Event()
        self.go_on = threading.Event()

    @tool
    def talk(self, word: str, ctx: Context) -> None:
        print(f"{word} print")
        sys.stderr.write(f"{word} stderr\n")
        os.write(1, f"{word} os 1\n".encode())
        os.write(2, f"{word} os 2\n".encode())
        subprocess.run([sys.executable, "-c", f"print('{word} child')"], check=True)
        logging.getLogger("talker").info("%s logging", word)
        ctx.log(f"{word} context")
        thread = threading.Thread(target=self._in_thread, args=(word, ctx))
        thread.start()
        thread.join()
        print(f"{word} without an end", end="")

    def _in_thread(self, word: str, ctx: Context) -> None:
        print(f"{word} thread")
        logging.getLogger("talker").info("%s thread logging", word)
        ctx.log(f"{word} thread context")

    @tool
    def leave_thread(self, word: str) -> None:
        """A thread goes on after the call and speaks when `release` is called."""

        def late() -> None:
            self.go_on.wait(20)
            logging.getLogger("talker").info("%s late", word)
            self.said.set()

        threading.Thread(target=late, daemon=True).start()

    @tool
    def release(self) -> bool:
        self.go_on.set()
        return self.said.wait(20)

    @tool
    async def tasks(self, word: str) -> None:
        async def inner() -> None:
            logging.getLogger("talker").info("%s task", word)

        await asyncio.gather(inner(), asyncio.create_task(inner()))
        if hasattr(asyncio, "to_thread"):
            await asyncio.to_thread(logging.getLogger("talker").info, "%s task", word)
        await asyncio.sleep(0)
        logging.getLogger("talker").info("%s task", word)
        print(f"{word} async")

    @tool
    def stream(self, word: str, count: int) -> Iterator[int]:
        for number in range(count):
            print(f"{word} {number}")
            yield number

    @tool
    def fail(self, word: str) -> None:
        print(f"{word} print")
        raise Unhappy

    @tool
    def fork(self, word: str) -> None:
        pid = os.fork()
        if pid == 0:
            # The child comes back into the worker's own code before it ends.
            threading.Timer(0.2, os._exit, (0,)).start()
            return
        os.waitpid(pid, 0)
        print(f"{word} after the child")

    @tool
    def redirect(self, path: str, word: str) -> None:
        with open(path, "w") as file:
            os.dup2(file.fileno(), 1)
        print(f"{word} print")

    @tool
    def close_all(self, path: str) -> None:
        os.closerange(100, 1024)
        with open(path, "w") as file:
            for fd in range(100, 120):
                os.dup2(file.fileno(), fd)

    @tool
    def meet(self, word: str, parties: int) -> None:
        """Speaks before, while and after so many calls run at the same time."""
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier(parties).wait(20)
        print(f"{word} together")
        self.barrier(parties).wait(20)

    def barrier(self, parties: int) -> threading.Barrier:
        return self.__dict__.setdefault("_barrier", threading.Barrier(parties))
