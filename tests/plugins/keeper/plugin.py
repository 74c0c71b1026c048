"""Is given secrets, and tells of them what it is asked.

Promise: they are in its environment and nowhere that others look. Expected exit reason: own stop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from hardpoint import Context, InputError, Plugin, tool


class KeeperPlugin(Plugin):
    """Has secrets."""

    name = "keeper"
    version = "1.0.0"

    @tool
    def given(self, names: list[str]) -> dict[str, str | None]:
        """The values of some variables."""
        return {name: os.environ.get(name) for name in names}

    @tool
    def handed_on(self, variable: str) -> str:
        """The value of a variable in a program that it starts."""
        script = "import os, sys; print(os.environ.get(sys.argv[1]))"
        started = subprocess.run(
            [sys.executable, "-c", script, variable], capture_output=True, text=True, check=True
        )
        return started.stdout.strip()

    @tool
    def blab(self, variable: str, *, ctx: Context) -> None:
        """Say what nobody should, everywhere, and fail with it."""
        value = os.environ[variable]
        print("printed", value, flush=True)
        ctx.log(f"logged {value}")
        ctx.progress(0.5, f"reached {value}")
        raise ValueError(f"raised {value}")

    @tool
    def blame(self, variable: str) -> None:
        """Fail with the value in what an error says besides its message, and in its literals."""
        value = os.environ[variable]
        print("literally", repr(value), json.dumps(value), flush=True)
        raise InputError(f"wrong {value!r}", fields_invalid=[f"field {value}"])

    @tool
    def slow(self, seconds: float) -> str:
        """Take a while."""
        time.sleep(seconds)
        return "done"

    @tool
    def detach(self) -> int:
        """Leave a process behind that belongs to nobody; its number."""
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(write, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        os.wait()
        return int(os.read(read, 100))
