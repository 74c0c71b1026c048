"""Tells which of its hooks were called, in which order and with what.

Promise: every hook of a plugin's life is called, once, when its time has come; a call can be cancelled by
everything that the SDK offers for it. Expected exit reason: own stop.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

from hardpoint import Cancelled, Context, Plugin, tool


class Hooks(Plugin):
    """Remembers, and prints for when it is not there any more."""

    name = "hooks"
    version = "1.0.0"

    def __init__(self) -> None:
        self._calls: list[list[Any]] = []

    def _note(self, *what: Any) -> None:
        self._calls.append(list(what))
        print("hook:", *what, flush=True)

    def initialize(self, config: dict[str, Any]) -> None:
        self._note("initialize", config)

    def validate(self) -> None:
        self._note("validate")

    def prefetch(self) -> None:
        self._note("prefetch")

    def reconfigure(self, old: dict[str, Any], new: dict[str, Any]) -> str:
        self._note("reconfigure", old, new)
        return "changed"

    def on_enable(self) -> None:
        self._note("on_enable")

    def on_disable(self) -> None:
        self._note("on_disable")

    def cleanup(self) -> None:
        self._note("cleanup")

    def config_options(self) -> dict[str, Any]:
        return {"language": {"options": [{"value": "deu", "label": "German"}], "constraints": {}}}

    @tool
    def calls(self) -> list[list[Any]]:
        """The hooks that were called."""
        return self._calls

    @tool
    def work(self, n: int, *, ctx: Context) -> int:
        """Say how far it is, and what it used."""
        for step in range(1, n + 1):
            ctx.progress(step / n, f"step {step}")
        ctx.usage(pages=n, tokens_in=2.5)
        return n

    @tool
    def items(self, n: int, *, ctx: Context) -> Iterator[int]:
        """Stream 0 to n - 1, saying how far it is."""
        for number in range(n):
            ctx.progress(number / n)
            yield number

    @tool
    def watch(self, *, ctx: Context) -> None:
        """Look again and again whether the call was cancelled."""
        print("hook: begun", flush=True)
        try:
            while True:
                ctx.check_cancel()
                time.sleep(0.01)
        except Cancelled:
            print("hook: check_cancel raised", flush=True)
            raise

    @tool
    def called_back(self, *, ctx: Context) -> None:
        """Is told of the cancel by callbacks, of which one is broken and one is taken back."""

        def broken() -> None:
            print("hook: first callback", flush=True)
            raise RuntimeError("a callback that fails")

        ctx.on_cancel(broken)
        ctx.on_cancel(lambda: print("hook: second callback", flush=True))
        taken_back = ctx.on_cancel(lambda: print("hook: no callback", flush=True))
        taken_back()
        print("hook: begun", flush=True)
        while not ctx.cancelled:
            time.sleep(0.01)
        ctx.check_cancel()

    @tool
    def child(self, script: str, *, ctx: Context) -> int:
        """Wait for a child process that ends with the call."""
        process = subprocess.Popen(["sh", "-c", script])
        print(f"hook: child {process.pid}", flush=True)
        with ctx.cancel_signal_to(process):
            return process.wait()
