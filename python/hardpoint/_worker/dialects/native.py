"""Plugins written for this host: subclasses of `hardpoint.Plugin`.

Owns: everything between `hello` and the tools being there. Must not know: threads and sockets.
"""

from __future__ import annotations

import sys

from hardpoint._plugin import Plugin
from hardpoint._worker.dialects.seam import HOOKS, Loaded, known_only
from hardpoint._worker.tools import (
    ASYNC,
    ASYNC_STREAM,
    STREAM,
    SYNC,
    Tool,
    ToolError,
    clean_text,
    kind_of,
    tools_of,
)
from hardpoint.errors import HardpointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.worker import Worker

__all__ = ["NativePlugin", "load"]

# The methods that are not named as their request is.
METHODS = {"enable": "on_enable", "disable": "on_disable"}


class ConfigNotRestored(HardpointError):
    """A config was refused half-way, and so was the one before: the host starts the plugin anew."""


class NotInitialized(HardpointError):
    """A request that needs the plugin's object came before `initialize`."""


def _not_initialized(**_arguments: Any) -> Any:
    raise NotInitialized("the plugin is not initialized yet")


class NativePlugin(Loaded):
    """An imported plugin class and, from `initialize` on, its object."""

    def __init__(self, cls: type[Plugin], hello: dict[str, Any], worker: Worker) -> None:
        super().__init__()
        self.cls = cls
        self._worker = worker
        self.name = cls.name or hello["name"]
        self.version = cls.version
        self.description = clean_text(cls.description or cls.__doc__ or "")
        if cls.__doc__ is Plugin.__doc__:
            self.description = cls.description
        self.tools = tools_of(cls)
        for tool in self.tools.values():
            tool.function = _not_initialized
        self.config_schema, self._build_config = _config(cls)
        self._object: Plugin | None = None
        self.hooks = {kind: self._hook(kind, METHODS.get(kind, kind)) for kind in HOOKS}

    def _hook(self, kind: str, method: str) -> Tool:
        function = getattr(self.cls, method)
        if function is Plugin.reconfigure:
            function = self.cls.initialize
        try:
            how = kind_of(function)
        except ToolError:
            how = SYNC
        if how in (STREAM, ASYNC_STREAM):
            raise ToolError(f"hook `{method}` must not be a generator")
        run = getattr(self, f"_{kind}", None) or self._plain(method)
        return Tool(kind, ASYNC if how == ASYNC else SYNC, run)

    def _plain(self, method: str) -> Any:
        return lambda: getattr(self._ready(), method)()

    def _ready(self) -> Plugin:
        if self._object is None:
            raise NotInitialized("the plugin is not initialized yet")
        return self._object

    def _config_of(self, config: Any, lenient: bool) -> Any:
        if lenient:
            config, dropped = known_only(self.config_schema, config)
            if dropped:
                text = f"config keys that this version does not know were left out: {', '.join(dropped)}"
                self._worker.port.log(None, "warning", "hardpoint", text)
        return self._build_config(config)

    def _initialize(self, config: Any, lenient: bool = False) -> Any:
        if self._object is None:
            made = self.cls()
            for tool in self.tools.values():
                tool.function = getattr(made, tool.attribute)
            self._object = made
        return self._object.initialize(self._config_of(config, lenient))

    def _reconfigure(self, old: Any, new: Any, lenient: bool = False) -> Any:
        plugin = self._ready()
        before, after = self._config_of(old, lenient), self._config_of(new, lenient)
        if type(plugin).reconfigure is not Plugin.reconfigure:
            return plugin.reconfigure(before, after)
        if self.hooks["reconfigure"].kind == ASYNC:
            return _initialized_anew(plugin, before, after)
        try:
            return plugin.reconfigure(before, after)
        except BaseException as refused:
            try:
                plugin.initialize(before)
            except Exception as error:
                raise _not_restored(refused, error) from refused
            raise


async def _initialized_anew(plugin: Plugin, before: Any, after: Any) -> Any:
    try:
        return await plugin.reconfigure(before, after)
    except BaseException as refused:
        try:
            await plugin.initialize(before)
        except Exception as error:
            raise _not_restored(refused, error) from refused
        raise


def _not_restored(refused: BaseException, error: Exception) -> ConfigNotRestored:
    text = f"the config was refused ({refused!r}), and then the one before, too ({error!r})"
    return ConfigNotRestored(text)


def _config(cls: type[Plugin]) -> tuple[dict[str, Any] | None, Any]:
    """The config schema, and how the config reaches `initialize`."""
    config = getattr(cls, "Config", None)
    if cls.config_schema is not None:
        if not isinstance(cls.config_schema, dict):
            raise ToolError("`config_schema` must be a dict that holds a JSON Schema")
        return cls.config_schema, _as_is
    if config is None or not hasattr(config, "__dataclass_fields__"):
        return None, _as_is
    from hardpoint._schema import resolve, spec_of

    scope = vars(sys.modules[cls.__module__])
    spec = spec_of(config, scope)
    code = getattr(cls.initialize, "__code__", None)
    name = code.co_varnames[1] if code is not None and code.co_argcount > 1 else "config"
    wanted = cls.initialize.__annotations__.get(name)
    if isinstance(wanted, str):
        wanted = config if wanted in ("Config", config.__qualname__) else resolve(wanted, scope)
    return spec.schema, spec.convert if wanted is config else _as_is


def _as_is(config: Any) -> Any:
    return config


def load(hello: dict[str, Any], worker: Worker) -> NativePlugin:
    """Import the plugin that `hello` names. Anything may be raised: it runs plugin code."""
    name, entry = hello["name"], hello["entry"]
    module_name, _, class_name = entry.partition(":")
    if not module_name or not class_name:
        raise ToolError(f"plugin `{name}`: entry `{entry}` is not `module:Class`")
    sys.path.insert(0, hello["dir"])
    module = __import__(module_name, fromlist=["*"])
    found: Any = module
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if found is None:
        listed = ", ".join(_classes(module)) or "none"
        raise ToolError(
            f"plugin `{name}`: module `{module_name}` has no class `{class_name}`; it has: {listed}"
        )
    if not isinstance(found, type) or not issubclass(found, Plugin):
        kind = "class that is not a hardpoint.Plugin" if isinstance(found, type) else type(found).__name__
        raise ToolError(
            f"plugin `{name}`: `{entry}` is a {kind}; write `class {class_name}(hardpoint.Plugin)`"
        )
    try:
        return NativePlugin(found, hello, worker)
    except ToolError as error:
        raise ToolError(f"plugin `{name}`: {error}") from error.__cause__


def _classes(module: Any) -> list[str]:
    own = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    return sorted(own)[:20]
