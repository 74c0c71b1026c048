"""A plugin whose tools wait for children that end with their call."""

import asyncio
import multiprocessing
import subprocess
import threading
import time

from hardpoint import Context, Plugin, tool

# It hears no SIGTERM.
QUIET = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


class Children(Plugin):
    name = "children"
    version = "1.0.0"

    def initialize(self, config: dict) -> None:
        self.told: list = []

    @tool
    def shell(self, script: str, own_group: bool, ctx: Context) -> int:
        process = subprocess.Popen(["sh", "-c", script], start_new_session=own_group)
        ctx.info(f"pid {process.pid}")
        with ctx.cancel_signal_to(process, grace_seconds=0.2) as same:
            assert same is process
            return process.wait()

    @tool
    def checked(self, ctx: Context) -> None:
        """The end of the child is an exception of its own."""
        process = subprocess.Popen(["sleep", "60"])
        ctx.info(f"pid {process.pid}")
        with ctx.cancel_signal_to(process):
            raise subprocess.CalledProcessError(process.wait(), "sleep")

    @tool
    async def awaited(self, grace_seconds: float, ctx: Context) -> int:
        process = await asyncio.create_subprocess_exec("sh", "-c", QUIET)
        ctx.info(f"pid {process.pid}")
        with ctx.cancel_signal_to(process, grace_seconds):
            return await process.wait()

    @tool
    async def quick(self) -> str:
        """Another call on the same loop."""
        return "quick"

    @tool
    def forked(self, ctx: Context) -> None:
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        process.start()
        ctx.info(f"pid {process.pid}")
        with ctx.cancel_signal_to(process):
            process.join()

    @tool
    def function(self, ctx: Context) -> None:
        gate = threading.Event()

        def stop() -> None:
            self.told.append("stopped")
            gate.set()

        ctx.info("pid 0")
        with ctx.cancel_signal_to(stop):
            gate.wait(20)

    @tool
    def left(self, ctx: Context) -> int:
        """The block is left before the cancel comes: the child is nobody's business any more."""
        process = subprocess.Popen(["sleep", "60"])
        with ctx.cancel_signal_to(process):
            pass
        ctx.info(f"pid {process.pid}")
        try:
            while True:
                ctx.check_cancel()
                time.sleep(0.01)
        finally:
            self.told.append(process.poll())
            process.kill()
            process.wait()

    @tool
    def wrong(self, ctx: Context) -> None:
        ctx.cancel_signal_to(7)

    @tool
    def seen(self) -> list:
        return self.told
