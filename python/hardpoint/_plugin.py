"""The base class of a plugin and the decorator that makes a method a tool.

Owns: which hooks exist and what they do by default. Must not know: schemas, messages, the worker.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["RELOAD_TRIGGER", "Plugin", "ToolOptions", "tool"]

MARK = "__hardpoint_tool__"

# In the metadata of a config field, or in its schema: what has to be released before another value counts.
RELOAD_TRIGGER = "reload_trigger"


class ToolOptions:
    """What `@tool(...)` was told about a method."""

    __slots__ = ("description", "name", "timeout_seconds")

    def __init__(self, name: str | None, description: str | None, timeout_seconds: float | None) -> None:
        self.name = name
        self.description = description
        self.timeout_seconds = timeout_seconds


if TYPE_CHECKING:

    @overload
    def tool(function: F) -> F: ...
    @overload
    def tool(
        *,
        name: str | None = None,
        description: str | None = None,
        timeout_seconds: float | None = None,
    ) -> Callable[[F], F]: ...


def tool(
    function: Any = None,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout_seconds: float | None = None,
) -> Any:
    """Make a method a tool: `@tool`, or `@tool(timeout_seconds=5)`.

    The name is the method's, the description its docstring, the schemas its annotations.
    """
    if timeout_seconds is not None and not timeout_seconds > 0:
        raise ValueError(f"timeout_seconds must be above 0, not {timeout_seconds!r}")
    options = ToolOptions(name, description, timeout_seconds)

    def mark(target: Any) -> Any:
        if not callable(target):
            raise TypeError(f"@tool stands on a method, not on a {type(target).__name__}")
        setattr(target, MARK, options)
        return target

    return mark if function is None else mark(function)


class Plugin:
    """A plugin: subclass it, give it tools, override the hooks it needs. Hooks may be `async`."""

    name: str = ""
    version: str = "0.0.0"
    description: str = ""
    config_schema: dict[str, Any] | None = None

    def initialize(self, config: Any) -> Any:
        """Get ready for calls. `config` is a dict, or the dataclass that annotates it."""

    def validate(self) -> Any:
        """Say whether this plugin can work here; raise (`ModelMissing`, ...) when it cannot."""

    def prefetch(self) -> Any:
        """Download what `validate` would miss."""

    def reconfigure(self, old: Any, new: Any) -> Any:
        """Take a new config while running; raise when it cannot be, before anything has changed.

        By default what changed fields need is released (`reconfigure_with_triggers`), and `initialize` runs
        again; when that raises it runs once more, with the config that was there.
        """
        self.reconfigure_with_triggers(old, new)
        return self.initialize(new)

    def fields_that_changed(self, old: Any, new: Any) -> set[str]:
        """The names of the config fields whose values differ, or that only one of the two has."""
        before, after = _fields(old), _fields(new)
        same = {name for name in before if name in after and before[name] == after[name]}
        return {*before, *after} - same

    def reconfigure_with_triggers(self, old: Any, new: Any) -> None:
        """Call `_release_NAME()`, once each, for the reload triggers `NAME` of the fields that changed."""
        changed = self.fields_that_changed(old, new)
        triggers = {trigger: None for name, trigger in _triggers(type(self)).items() if name in changed}
        for trigger in triggers:
            release = getattr(self, f"_release_{trigger}", None)
            if release is not None:
                release()

    def on_enable(self) -> Any:
        """The instance was enabled."""

    def on_disable(self) -> Any:
        """The instance was disabled."""

    def cleanup(self) -> Any:
        """Let go of everything; the worker ends after this."""

    def config_options(self) -> Any:
        """Choices for config fields that only the running plugin knows, by field name."""
        return {}


def _fields(config: Any) -> dict[str, Any]:
    return config if isinstance(config, dict) else dict(vars(config))


def _triggers(cls: type[Plugin]) -> dict[str, str]:
    """The reload trigger of each config field that has one, in the order of the fields."""
    if cls.config_schema is not None:
        properties = cls.config_schema.get("properties", {})
        return {name: field[RELOAD_TRIGGER] for name, field in properties.items() if RELOAD_TRIGGER in field}
    fields = getattr(getattr(cls, "Config", None), "__dataclass_fields__", {})
    return {
        name: field.metadata[RELOAD_TRIGGER]
        for name, field in fields.items()
        if RELOAD_TRIGGER in field.metadata
    }
