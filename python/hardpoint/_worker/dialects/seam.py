"""What the worker asks of a plugin, whatever contract the plugin was written for.

Owns: the shape of a loaded plugin, tools whose arguments go to the dialect as they came, the way from
`entry` to a class. Must not know: any contract.
"""

from __future__ import annotations

import sys

from hardpoint._worker.tools import Blobs, Tool, ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.calls import Call

    # What a dialect runs for a call: the call, its `Context`, its arguments.
    Run = Callable[..., Any]

__all__ = ["HOOKS", "ForeignTool", "Loaded", "early_log", "imported", "known_only", "own_text", "said"]

# The requests besides `call`, in the words of the protocol.
HOOKS = (
    "initialize", "validate", "prefetch", "reconfigure", "enable", "disable", "config_options", "cleanup",
)  # fmt: skip


class Loaded:
    """A plugin that was imported: what `ready` says of it, and what each request runs."""

    name = ""
    version = ""
    description = ""
    config_schema: dict[str, Any] | None = None
    # What only those who know the dialect look at; the host passes it on.
    facts: dict[str, Any] | None = None

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self.hooks: dict[str, Tool] = {}

    def describe(self) -> dict[str, Any]:
        """The plugin as `ready` carries it."""
        return {"name": self.name, "version": self.version, "description": self.description}

    def explain(self, _exc: BaseException) -> dict[str, Any] | None:
        """The fields of a JobError that the contract gives this exception; None for all but its own."""
        return None


class ForeignTool(Tool):
    """A tool that takes what comes: the dialect's function gets the call, its context and the arguments."""

    __slots__ = ()

    def __init__(self, name: str, kind: int, function: Run, hook: bool = False) -> None:
        super().__init__(name, kind, function)
        self.is_hook = hook

    def arguments(self, call: Call, context: Callable[[Call], Any]) -> dict[str, Any]:
        """The call itself, its context, and its arguments with their bytes in place."""
        args = call.args
        if call.escaped and not self.is_hook:
            blobs = Blobs(call.blobs)
            args = {name: blobs.decode(value, False) for name, value in args.items()}
        return {"call": call, "ctx": context(call), "args": args}


def imported(plugin: dict[str, Any], entry: str) -> type:
    """The class that `module:Class` names. The plugin's own folder is looked at last."""
    name = plugin["name"]
    module_name, _, class_name = entry.partition(":")
    if not module_name or not class_name:
        raise ToolError(f"plugin `{name}`: entry `{entry}` is not `module:Class`")
    if plugin["dir"] not in sys.path:
        sys.path.append(plugin["dir"])
    __import__(module_name)
    found: Any = sys.modules[module_name]
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise ToolError(f"plugin `{name}`: `{entry}` is {what}, not a class")
    return found


def known_only(schema: dict[str, Any] | None, config: Any) -> tuple[Any, list[str]]:
    """The config without what a schema that takes nothing else does not know, and what that was."""
    if schema is None or schema.get("additionalProperties") is not False or not isinstance(config, dict):
        return config, []
    known = schema.get("properties") or {}
    dropped = sorted(str(name) for name in config if name not in known)
    return {name: value for name, value in config.items() if name in known}, dropped


def early_log() -> Callable[[], None]:
    """Let records of `logging` be seen while a plugin is loaded; returns how to end that.

    Before `ready` the worker sends nothing; what goes to stderr the host keeps.
    """
    import logging

    root = logging.getLogger()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s [%(levelname)s] %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return lambda: root.removeHandler(handler)


def own_text(value: Any) -> str:
    """A text of the plugin's, or "" where it has none."""
    return value.strip() if isinstance(value, str) else ""


def said(error: BaseException) -> str:
    """An exception in one line of a log; its `str` is plugin code."""
    from hardpoint._worker.failures import safe_str

    return f"{type(error).__name__}: {safe_str(error)}"
