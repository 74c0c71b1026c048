"""Writes down which hooks ran; each can be made to fail by the environment."""

from __future__ import annotations

import os
from typing import Any


class Recorder:
    name = "recorder"
    description = "Records its hooks."
    tools = {"trace": {}}

    def __init__(self) -> None:
        self.trace: list[str] = []
        self._note("constructor")

    def _note(self, hook: str) -> None:
        self.trace.append(hook)
        print("hook", hook, flush=True)
        if hook in os.environ.get("FAILING_HOOKS", "").split(","):
            raise RuntimeError(f"{hook} is broken")

    def validate(self) -> None:
        self._note("validate")

    def on_load(self) -> None:
        self._note("on_load")

    def on_unload(self) -> None:
        self._note("on_unload")

    def on_reload(self) -> None:
        self._note("on_reload")

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return {"trace": self.trace}
