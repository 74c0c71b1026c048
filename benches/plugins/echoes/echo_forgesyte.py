"""Gives back what it gets, for the contract of ForgeSyte."""

from __future__ import annotations

from typing import Any

from app.plugins.base import BasePlugin


class Plugin(BasePlugin):
    """What a call costs when its tool costs nothing."""

    name = "echo-forgesyte"

    def __init__(self) -> None:
        self.tools = {
            "echo": {
                "description": "Give it back.",
                "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
                "output_schema": {"type": "object"},
                "handler": "echo",
            }
        }
        super().__init__()

    def echo(self, text: str) -> dict[str, Any]:
        """Give it back."""
        return {"text": text}

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        """As published plugins do it: by the name of the handler."""
        return getattr(self, self.tools[tool_name]["handler"])(**args)
