"""Other forms: alias keys, no call of the base class's constructor, a class that derives from nothing."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from app.plugins.base import BasePlugin


class Aliased(BasePlugin):
    """`inputs` and `outputs` in place of schemas; the strict check never runs."""

    name = "aliased"

    def __init__(self) -> None:
        self.tools = {
            "analyze": {
                "inputs": {"photo": {"type": "bytes"}},
                "outputs": {"text": {"type": "string"}},
                "extra": 1,
            }
        }

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        # It would take an alias too, which is none of its tools.
        assert tool_name in ("analyze", "default")
        return {"kind": type(args.get("photo")).__name__}


class Async:
    """Everything that it does is async, with an object that belongs to the event loop."""

    name = "async"
    tools = {"next": {"handler": "next"}}

    def __init__(self) -> None:
        self.trace: list[str] = []

    async def validate(self) -> None:
        self.trace.append("validate")
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        for number in range(3):
            self.queue.put_nowait(number)

    async def on_load(self) -> None:
        await asyncio.sleep(0)
        self.trace.append("on_load")

    async def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        if args.get("sleep"):
            await asyncio.sleep(60)
        assert asyncio.get_running_loop() is self.loop
        return {"number": await self.queue.get(), "trace": self.trace}


class Awaitable(Async):
    """`run_tool` is no coroutine function and returns an awaitable all the same."""

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return Async.run_tool(self, tool_name, args)


class Partial(Async):
    """`run_tool` is no function of Python's at all."""

    def __init__(self) -> None:
        super().__init__()
        self.run_tool = functools.partial(Async.run_tool, self)  # type: ignore[method-assign]


class Analyzer:
    """Only analyzes, and says nothing about itself that can be used."""

    name = "analyzer"

    def analyze(self, image_bytes: bytes, options: dict | None = None) -> Any:
        return {"size": len(image_bytes), "kind": type(image_bytes).__name__, "options": options}

    def metadata(self) -> Any:
        raise NameError("AnalysisResult")


class Told(Analyzer):
    """Its `metadata()` describes its options."""

    name = "told"

    def metadata(self) -> Any:
        return {"description": "Looks.", "config_schema": {"width": {"type": "integer", "min": 1, "max": 9}}}
