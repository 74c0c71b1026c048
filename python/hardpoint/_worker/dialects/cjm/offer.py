"""What a plugin class offers: its tools and its actions.

Owns: the reading of class attributes. Must not know: how calls run.
"""

from __future__ import annotations

from hardpoint._worker.dialects.cjm.errors import adapter_required
from hardpoint._worker.dialects.seam import ForeignTool, own_text
from hardpoint._worker.tools import STREAM, SYNC, clean_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.dialects.cjm.running import Running
    from hardpoint.errors import Unavailable

__all__ = ["actions_of", "refuse_without_execute", "tools_of"]

# The last release of a package whose class still executes by itself.
_LAST_FUSED = {"cjm-graph-plugin-sqlite": "0.0.23"}

_ENVELOPE = {
    "type": "object",
    "description": "`args` and `kwargs` of execute(*args, **kwargs); anything else is its keyword arguments",
    "properties": {"args": {}, "kwargs": {}},
}
_ENVELOPE_NAMES = frozenset(("args", "kwargs"))
_OPEN = {"type": "object"}
# How the contract, and its successor, mark the method that handles an action.
_TAGS = ("_plugin_action", "_capability_action")


def _can(owner: Any, method: str) -> bool:
    return callable(getattr(owner, method, None))


def refuse_without_execute(cls: Any) -> None:
    """Say why a class cannot be run that neither executes nor monitors."""
    if not _can(cls, "execute") and not _can(cls, "get_system_status"):
        raise _adapter_required(cls)


def _adapter_required(cls: Any) -> Unavailable:
    from importlib import metadata

    package = cls.__module__.partition(".")[0].replace("_", "-")
    try:
        installed = f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        installed = package
    text = f"class `{cls.__name__}` of {installed} has no `execute`; its tasks moved to adapters"
    fused = _LAST_FUSED.get(package)
    return adapter_required(f"{text}; install {package}=={fused} or older" if fused else text)


def actions_of(cls: Any) -> set[str]:
    """The actions that `execute` takes, as the class lists or tags them."""
    listed = getattr(cls, "supported_actions", None)
    found = set(listed) if isinstance(listed, (set, frozenset, list, tuple)) else set()
    for base in cls.__mro__:
        found.update(_tag(value) for value in vars(base).values())
    return {action for action in found if isinstance(action, str) and action}


def _tag(value: Any) -> Any:
    return next((tag for tag in (getattr(value, name, None) for name in _TAGS) if tag is not None), None)


def _described(cls: Any, action: str) -> str:
    for base in cls.__mro__:
        for value in vars(base).values():
            if _tag(value) == action:
                return clean_text(own_text(value.__doc__))
    return ""


def tools_of(cls: Any, made: Any, running: Running) -> dict[str, ForeignTool]:
    """The tools of a plugin: `execute`, its stream, one for each action, and those of a monitor."""
    tools: dict[str, ForeignTool] = {}

    def add(name: str, kind: int, run: Any, description: str, schema: dict[str, Any]) -> None:
        if name not in tools:
            tools[name] = ForeignTool(name, kind, run)
            tools[name].description = description
            tools[name].input_schema = schema

    def execute(call: Any, ctx: Any, args: dict[str, Any]) -> Any:
        return running.call(call, ctx, made.execute, *_envelope(args))

    def stream(call: Any, ctx: Any, args: dict[str, Any]) -> Any:
        return running.stream(call, ctx, made.execute_stream, *_envelope(args))

    def refuse(call: Any, ctx: Any, args: dict[str, Any]) -> Any:
        raise _adapter_required(cls)

    if _can(cls, "execute"):
        add("execute", SYNC, execute, clean_text(own_text(cls.execute.__doc__)), _ENVELOPE)
        if _can(cls, "execute_stream"):
            add("execute_stream", STREAM, stream, clean_text(own_text(cls.execute_stream.__doc__)), _ENVELOPE)
        for action in sorted(actions_of(cls)):
            add(action, SYNC, _action(action, made, running), _described(cls, action), _OPEN)
    else:
        add("execute", SYNC, refuse, "", _ENVELOPE)
    if _can(cls, "get_system_status"):
        status, processes = _monitor(made, running)
        add("get_system_status", SYNC, status, "What the machine uses and has.", _OPEN)
        add("list_processes", SYNC, processes, "The processes on the machine's GPUs.", _OPEN)
    return tools


def _envelope(args: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    positional, named = args.get("args", []), args.get("kwargs", {})
    if args.keys() <= _ENVELOPE_NAMES and isinstance(positional, list) and isinstance(named, dict):
        return positional, named
    return [], args


def _action(action: str, made: Any, running: Running) -> Any:
    def run(call: Any, ctx: Any, args: dict[str, Any]) -> Any:
        return running.call(call, ctx, made.execute, (), {**args, "action": action})

    return run


def _monitor(made: Any, running: Running) -> tuple[Any, Any]:
    def status(call: Any, ctx: Any, args: dict[str, Any]) -> Any:
        return running.call(call, ctx, lambda: _plain(read(args)))

    def read(args: dict[str, Any]) -> Any:
        try:
            return made.get_system_status(**args)
        except NotImplementedError:
            if not _can(made, "execute"):
                raise
            return made.execute("get_system_status")

    def processes(call: Any, ctx: Any, args: dict[str, Any]) -> Any:
        if not _can(made, "list_processes"):
            return []
        return running.call(call, ctx, lambda: [_plain(each) for each in made.list_processes(**args)])

    return status, processes


def _plain(value: Any) -> Any:
    convert = getattr(value, "to_dict", None)
    return convert() if callable(convert) else value
