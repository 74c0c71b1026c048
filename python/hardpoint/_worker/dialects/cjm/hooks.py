"""The requests besides calls: config, enabling, loading ahead, the end.

Owns: the order of hooks and which config is the last one applied. Must not know: calls and their state.
"""

from __future__ import annotations

from hardpoint._worker.dialects.cjm.config import defaults, mistakes
from hardpoint._worker.dialects.cjm.errors import PluginConfigError
from hardpoint._worker.dialects.seam import known_only, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._context import Context
    from hardpoint._worker.calls import Call
    from hardpoint._worker.dialects.cjm.running import Running

    Args = dict[str, Any]

__all__ = ["Hooks"]


class Hooks:
    """One method for each request, named as the request is."""

    def __init__(
        self, name: str, made: Any, raw: dict[str, Any], schema: dict[str, Any] | None, running: Running
    ) -> None:
        self._name = name
        self._object = made
        self._raw_schema = raw
        self._schema = schema
        self._running = running
        self._applied: dict[str, Any] = {}
        self._enabled = True

    def initialize(self, call: Call, ctx: Context, args: Args) -> None:
        """Once, also when there is no config. `null` is none given: then the schema's defaults are it."""
        config = args["config"]
        if config is None:
            config = defaults(self._raw_schema)
        config = self._accepted(ctx, config, args.get("lenient", False))
        self._optional(call, "initialize", config)
        self._applied = config

    def validate(self, call: Call, ctx: Context, args: Args) -> None:
        """The contract has nothing of the kind."""

    def prefetch(self, call: Call, ctx: Context, args: Args) -> None:
        """Like a call: it has progress and can be cancelled."""
        prefetch = getattr(self._object, "prefetch", None)
        if callable(prefetch):
            self._running.call(call, ctx, prefetch)

    def reconfigure(self, call: Call, ctx: Context, args: Args) -> None:
        """`new` replaces the config; what fails leaves the one before as the last one applied."""
        new = self._accepted(ctx, {} if args["new"] is None else args["new"], args.get("lenient", False))
        if callable(getattr(self._object, "reconfigure", None)):
            self._optional(call, "reconfigure", self._live(new), new)
        else:
            self._optional(call, "initialize", new)
        self._applied = new

    def enable(self, call: Call, ctx: Context, args: Args) -> None:
        """The hook is for changes only."""
        if not self._enabled:
            self._enabled = True
            self._optional(call, "on_enable")

    def disable(self, call: Call, ctx: Context, args: Args) -> None:
        """The hook is for changes only. The worker runs no call beside this request."""
        if self._enabled:
            self._enabled = False
            self._optional(call, "on_disable")

    def config_options(self, call: Call, ctx: Context, args: Args) -> Any:
        """Choices that only the running plugin knows; none, and a reason, when it cannot tell."""
        ask = getattr(self._object, "get_config_options", None)
        if not callable(ask):
            return {}
        try:
            return self._running.outside(call, ask) or {}
        except Exception as error:
            ctx.warning(f"the options of config fields cannot be told: {said(error)}")
            return {}

    def cleanup(self, call: Call, ctx: Context, args: Args) -> None:
        """The worker ends after this, whatever it does."""
        try:
            self._optional(call, "cleanup")
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            ctx.error(f"cleanup() raised {said(error)}")

    def _optional(self, call: Call, method: str, *args: Any) -> None:
        function = getattr(self._object, method, None)
        if callable(function):
            self._running.outside(call, function, *args)

    def _live(self, new: dict[str, Any]) -> dict[str, Any]:
        """The config as the plugin has it now, to be compared with a new one.

        What the new one leaves out counts as its default: where that is what the plugin has, nothing changed.
        """
        ask = getattr(self._object, "get_current_config", None)
        live: Any = ask() if callable(ask) else None
        if hasattr(type(live), "__dataclass_fields__"):
            from dataclasses import asdict

            live = asdict(live)
        old = live if isinstance(live, dict) and live else self._applied
        usual = defaults(self._raw_schema)
        unsaid = [name for name in old if name not in new and name in usual and usual[name] == old[name]]
        return {name: value for name, value in old.items() if name not in unsaid}

    def _accepted(self, ctx: Context, config: Any, lenient: bool) -> dict[str, Any]:
        """The config, or all that is wrong with it."""
        if not isinstance(config, dict):
            raise PluginConfigError(f"the config of plugin {self._name!r} must be an object")
        known, dropped = known_only(self._schema, config)
        taken: dict[str, Any] = config
        if lenient:
            if dropped:
                ctx.warning(f"plugin {self._name!r}: ignoring unknown config keys {dropped}")
            taken, dropped = known, []
        wrong = mistakes(self._schema, taken)
        sentences = [f"{name}: {problem}" for name, problem in wrong.items()]
        if dropped:
            accepted = sorted((self._schema or {})["properties"])
            sentences.insert(
                0,
                f"Unknown config keys for plugin {self._name!r}: {dropped}. "
                f"Accepted keys per manifest config_schema: {accepted}. "
                "Pass strict=False to ignore unknown keys (forward-compat).",
            )
        if sentences:
            raise PluginConfigError("; ".join(sentences), fields_invalid=[*dropped, *wrong])
        return taken
