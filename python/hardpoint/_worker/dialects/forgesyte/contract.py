"""What a plugin's object must have before it may be called: the lenient check.

Owns: which objects are plugins of this contract, and the tools they have. Must not know: how tools run.
The strict check is that of the base class, for those who call its constructor.
"""

from __future__ import annotations

import json

from hardpoint._worker.dialects.seam import own_text
from hardpoint._worker.tools import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["checked_tools", "described"]


def checked_tools(known_as: str, made: Any) -> tuple[dict[str, dict[str, Any]], bool]:
    """The metadata of each tool, without handlers; and whether it is a plugin that only analyzes."""
    kind = type(made).__name__
    name = getattr(made, "name", None)
    if not own_text(name):
        raise ToolError(f"plugin `{known_as}`: `{kind}.name` must be a text that is not blank, not {name!r}")
    if not callable(getattr(made, "run_tool", None)):
        if not callable(getattr(made, "analyze", None)):
            raise ToolError(f"plugin `{known_as}`: `{kind}` has neither `run_tool` nor `analyze`")
        return {"analyze": {"description": "", "input_schema": _ANALYZE}}, True
    tools = getattr(made, "tools", None)
    if not isinstance(tools, dict):
        raise ToolError(f"plugin `{known_as}`: `{kind}.tools` must be a dict, not {type(tools).__name__}")
    return {tool: _checked(f"plugin `{known_as}`, tool {tool!r}", tool, tools[tool]) for tool in tools}, False


_ANALYZE = {
    "properties": {"image_bytes": {"type": "string", "format": "binary"}, "options": {"type": "object"}}
}


def _checked(where: str, tool: Any, metadata: Any) -> dict[str, Any]:
    if not own_text(tool):
        raise ToolError(f"{where}: its name must be a text that is not blank")
    if not isinstance(metadata, dict):
        is_callable = "a bare callable" if callable(metadata) else f"a {type(metadata).__name__}"
        raise ToolError(f"{where}: its metadata is {is_callable}; write a dict whose `handler` names it")
    shown = {key: value for key, value in metadata.items() if key != "handler"}
    try:
        plain: dict[str, Any] = json.loads(json.dumps(shown, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"{where}: its metadata is not JSON: {error}") from error
    return plain


def described(made: Any) -> dict[str, Any]:
    """What `metadata()` says, as far as it can be used; a plugin that cannot tell is no worse for it."""
    try:
        said = made.metadata()
        said = said.model_dump() if hasattr(said, "model_dump") else said
        return json.loads(json.dumps(said, allow_nan=False)) if isinstance(said, dict) else {}
    except Exception:
        return {}
