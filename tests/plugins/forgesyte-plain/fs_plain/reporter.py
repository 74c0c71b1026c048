"""Says what it was given: which names, of which types."""

from __future__ import annotations

from typing import Any

from app.plugins.base import BasePlugin

from fs_plain.words import SCHEMA

from . import words


def report(tool: str, args: dict[str, Any]) -> dict[str, Any]:
    """A handler that is a function of the module."""
    kinds = {name: type(value).__name__ for name, value in args.items()}
    shown = {name: value for name, value in args.items() if isinstance(value, (str, int, dict))}
    return {"tool": tool, "kinds": kinds, "shown": shown, "args": type(args) is dict}


class Plugin(BasePlugin):
    """Class-level tools, function handlers, a flat schema."""

    name = "reporter"
    version = "0.2.0"
    tools = {
        "report": {"description": "Reports.", "input_schema": SCHEMA, "output_schema": {}, "handler": report},
        "video": {
            "description": "Counts frames.",
            "input_schema": words.VIDEO,
            "output_schema": {"properties": {"frames": {"type": "array"}}},
            "handler": report,
        },
    }

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        if tool_name == "video":
            return self.video(**args)
        return report(tool_name, args)

    def video(self, video_path: str, progress_callback: Any = None, bare: bool = False) -> Any:
        answers = []
        for frame in range(1, 4):
            if progress_callback:
                answers.append(progress_callback(frame) if bare else progress_callback(frame, 3))
        if progress_callback:
            progress_callback("not a number", object())
            progress_callback(float("nan"), 3)
        return {"frames": answers, "path": video_path}
