"""The base class that plugins of this contract import as `app.plugins.base.BasePlugin`.

Owns: its abstract method and the check of its constructor. Must not know: the worker's own, milder check.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["BasePlugin"]


class BasePlugin(ABC):
    """A plugin with tools. Only those that call this constructor are checked by it."""

    name: str
    tools: dict[str, dict[str, Any]]

    def __init__(self) -> None:
        name = getattr(self, "name", None)
        if not isinstance(name, str):
            raise ValueError(f"plugin {type(self).__name__} must have a `name` that is a string")
        tools = getattr(self, "tools", None)
        if not isinstance(tools, dict):
            raise ValueError(f"plugin {name!r} must have `tools` that is a dict")
        for tool, metadata in tools.items():
            problem = _problem(self, metadata)
            if problem is not None:
                raise ValueError(f"tool {tool!r} of plugin {name!r}: {problem}")

    @abstractmethod
    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        """Run one of the tools."""

    def validate(self) -> None:  # noqa: B027 (it may be overridden, and need not be)
        """Say whether this plugin can work; raise when it cannot."""


def _problem(plugin: Any, metadata: Any) -> str | None:
    if not isinstance(metadata, dict):
        return f"its metadata must be a dict, not {type(metadata).__name__}"
    handler = metadata.get("handler")
    if isinstance(handler, str):
        if not hasattr(plugin, handler):
            return f"handler references non-existent method {handler!r}"
    elif not callable(handler):
        return "`handler` must be callable or the name of a method"
    if not isinstance(metadata.get("description"), str):
        return "`description` must be a string"
    for schema in ("input_schema", "output_schema"):
        if not isinstance(metadata.get(schema), dict):
            return f"`{schema}` must be a dict"
    return None


# Its name and place in messages and in pickles are those that plugins know.
BasePlugin.__module__ = "app.plugins.base"
