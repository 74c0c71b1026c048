"""The dialect `cjm`: subclasses of `PluginInterface`, or classes that have its methods.

Owns: which method each request runs, and in which order. Must not know: the package that those classes
come from; it lies in the plugin's environment, is never imported here and never changed.
"""

from __future__ import annotations

from hardpoint._worker.dialects.cjm.config import canonical_hash, widened
from hardpoint._worker.dialects.cjm.environment import set_defaults, set_folders, worker_env
from hardpoint._worker.dialects.cjm.errors import explain
from hardpoint._worker.dialects.cjm.hooks import Hooks
from hardpoint._worker.dialects.cjm.offer import actions_of, refuse_without_execute, tools_of
from hardpoint._worker.dialects.cjm.running import Running
from hardpoint._worker.dialects.cjm.state import States
from hardpoint._worker.dialects.seam import HOOKS, ForeignTool, Loaded, early_log, imported, own_text
from hardpoint._worker.tools import SYNC, ToolError, clean_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.worker import Worker

__all__ = ["load"]


# The optional methods of the contract.
_HOOKS = ("reconfigure", "prefetch", "on_enable", "on_disable", "cancel", "cleanup", "get_config_options")


class CjmPlugin(Loaded):
    """One object of the plugin's class."""

    def __init__(self, hello: dict[str, Any], cls: Any, worker: Worker) -> None:
        super().__init__()
        # The class has a name and a version too, which differ; the manifest's are the plugin's.
        self.name = hello["name"]
        self.version = str(hello.get("version", ""))
        self.description = clean_text(own_text(cls.__doc__))
        refuse_without_execute(cls)
        states = States(worker.calls)
        states.take_over(cls)
        states.follow_threads()
        made = cls()
        schema = _schema(self.name, made)
        self.config_schema = widened(schema)
        running = Running(states, worker, made)
        self.tools.update(tools_of(cls, made, running))
        hooks = Hooks(self.name, made, schema, self.config_schema, running)
        self.hooks = {kind: ForeignTool(kind, SYNC, getattr(hooks, kind), hook=True) for kind in HOOKS}
        declared = worker_env(cls)
        self.facts = {
            "class": cls.__name__,
            "executes": callable(getattr(cls, "execute", None)),
            "actions": sorted(actions_of(cls)),
            "hooks": [name for name in _HOOKS if callable(getattr(cls, name, None))],
            "config_schema": schema,
            "config_schema_hash": canonical_hash(schema),
            "worker_env": declared,
            "missing_required": [
                each["name"] for each in declared if each["required"] and not each["satisfied"]
            ],
        }

    def explain(self, exc: BaseException) -> dict[str, Any] | None:
        """By the attributes that the contract's own exceptions have."""
        return explain(exc)


def _schema(name: str, made: Any) -> dict[str, Any]:
    ask = getattr(made, "get_config_schema", None)
    schema: Any = ask() if callable(ask) else {}
    if schema is None:
        schema = {}
    if not isinstance(schema, dict):
        raise ToolError(
            f"plugin `{name}`: `get_config_schema()` returned a {type(schema).__name__}, not a dict"
        )
    return schema


def load(hello: dict[str, Any], worker: Worker) -> CjmPlugin:
    """Import the class that `hello` names and make its object. Anything may be raised: plugin code runs."""
    end = early_log()
    try:
        set_folders(hello)
        cls = imported(hello, hello["entry"])
        set_defaults(cls, hello["name"])
        return CjmPlugin(hello, cls, worker)
    finally:
        end()
