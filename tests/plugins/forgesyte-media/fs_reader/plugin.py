"""Says what it was given."""

from __future__ import annotations

from typing import Any


class Plugin:
    name = "reader"
    tools = {"read": {"input_schema": {"image_base64": {"type": "string"}}}}

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return {"given": args}
