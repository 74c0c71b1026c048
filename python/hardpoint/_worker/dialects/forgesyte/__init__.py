"""The dialect `forgesyte`: classes with `tools` and `run_tool`, or with `analyze` alone.

Owns: the order in which a plugin is loaded, what it must have, what each request runs. Must not know: the
forms of schemas, arguments and results; they have modules of their own.
"""

from __future__ import annotations

import os
import sys

from hardpoint._worker.dialects.forgesyte import manifest as manifests
from hardpoint._worker.dialects.forgesyte.arguments import for_analyze, for_tool
from hardpoint._worker.dialects.forgesyte.contract import checked_tools, described
from hardpoint._worker.dialects.forgesyte.found import Found, resolved
from hardpoint._worker.dialects.forgesyte.results import as_object
from hardpoint._worker.dialects.forgesyte.schemas import (
    binary_names,
    input_types,
    open_schema,
    properties_of,
    schema_of,
)
from hardpoint._worker.dialects.forgesyte.shims import give_names, install, used
from hardpoint._worker.dialects.seam import HOOKS, ForeignTool, Loaded, early_log, imported, own_text, said
from hardpoint._worker.tools import ASYNC, SYNC, ToolError, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._context import Context
    from hardpoint._worker.calls import Call
    from hardpoint._worker.dialects.forgesyte.manifest import Manifest
    from hardpoint._worker.worker import Worker

    Args = dict[str, Any]

__all__ = ["load"]


_HOOKS = ("validate", "on_load", "on_reload", "on_unload")


class ForgesytePlugin(Loaded):
    """The one object of a plugin."""

    def __init__(
        self, hello: dict[str, Any], found: Found, manifest: Manifest | None, made: Any, worker: Worker
    ) -> None:
        super().__init__()
        self._object = made
        self._worker = worker
        self.facts: dict[str, Any] = {}
        self._reload = hello.get("reload") is True
        metadata, self._analyze_only = checked_tools(hello["name"], made)
        self.name = made.name
        content = (manifest.content if manifest is not None else None) or {}
        said = described(made) if self._analyze_only else {}
        self.version = _first(getattr(made, "version", None), manifest and manifest.version, found.version)
        texts = (getattr(made, "description", None), content.get("description"), said.get("description"))
        self.description = _first(*texts, found.summary)
        for tool, about in metadata.items():
            self.tools[tool] = self._tool(tool, about)
        self.hooks = {kind: ForeignTool(kind, SYNC, self._nothing, hook=True) for kind in HOOKS}
        self.hooks["validate"].function = self._validate
        self.hooks["cleanup"].function = self._cleanup
        self.facts = self._facts(found, manifest, metadata)
        if self._analyze_only:
            self.facts["tools"]["analyze"]["options"] = said.get("config_schema")

    def _tool(self, name: str, about: dict[str, Any]) -> ForeignTool:
        schema = schema_of(about, "input")
        binary = binary_names(schema)

        def run(call: Call, ctx: Context, args: Args) -> Any:
            value = self._run(name, for_tool(call, ctx, args, binary))
            return as_object(self._settled(call, value))

        async def run_async(call: Call, ctx: Context, args: Args) -> Any:
            value = self._run(name, for_tool(call, ctx, args, binary))
            return as_object(await value if hasattr(value, "__await__") else value)

        try:
            kind = kind_of(self._object.analyze if self._analyze_only else self._object.run_tool)
        except ToolError:
            kind = SYNC
        tool = ForeignTool(name, ASYNC, run_async) if kind == ASYNC else ForeignTool(name, SYNC, run)
        tool.description = own_text(about.get("description"))
        tool.input_schema = open_schema(schema)
        return tool

    def _run(self, tool: str, given: Args) -> Any:
        if self._analyze_only:
            return self._object.analyze(*for_analyze(given))
        return self._object.run_tool(tool, given)

    def _settled(self, call: Call, value: Any) -> Any:
        return self._worker.loop().finish(call, value) if hasattr(value, "__await__") else value

    def _hook(self, call: Call, name: str) -> None:
        hook = getattr(self._object, name, None)
        if callable(hook):
            self._settled(call, hook())

    def _nothing(self, call: Call, ctx: Context, args: Args) -> Any:
        """The contract has nothing of the kind."""
        return {} if call.tool.name == "config_options" else None

    def _validate(self, call: Call, ctx: Context, args: Args) -> None:
        self._hook(call, "validate")
        self._hook(call, "on_load")
        if self._reload:
            self._guarded(call, ctx, "on_reload")

    def _cleanup(self, call: Call, ctx: Context, args: Args) -> None:
        self._guarded(call, ctx, "on_unload")

    def _guarded(self, call: Call, ctx: Context, name: str) -> None:
        """A hook whose failure is only told."""
        try:
            self._hook(call, name)
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            ctx.error(f"{name}() raised {said(error)}")

    def _facts(
        self, found: Found, manifest: Manifest | None, metadata: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        content = None if manifest is None else manifest.content
        tools = {}
        for tool, about in metadata.items():
            entry = {} if manifest is None else manifest.tool(tool)
            schema = schema_of(about, "input")
            tools[tool] = {
                "title": entry.get("title") or tool,
                "input_types": entry.get("input_types") or input_types(schema),
                "output_types": entry.get("output_types", []),
                "capabilities": entry.get("capabilities", []),
                "arguments": list(properties_of(schema)),
                "input_schema": schema,
                "output_schema": schema_of(about, "output"),
            }
        made_up = manifests.synthesised(self.name, self.version, self.description, metadata)
        return {
            "manifest": made_up if content is None else content,
            "manifest_error": None if manifest is None else manifest.error,
            "manifest_warnings": [] if manifest is None else manifest.warnings,
            "labels": found.labels(),
            "hooks": [name for name in _HOOKS if callable(getattr(self._object, name, None))],
            "tools": tools,
        }


def _first(*texts: Any) -> str:
    return next((text for text in map(own_text, texts) if text), "")


def _require(manifest: Manifest | None) -> None:
    if manifest is not None:
        from hardpoint._worker.dialects.forgesyte.preflight import require

        require(manifest)


def load(hello: dict[str, Any], worker: Worker) -> ForgesytePlugin:
    """Find, look at what is needed, import, construct, check. Anything may be raised: plugin code runs."""
    if hello["dir"] not in sys.path:
        sys.path.append(hello["dir"])
    found = resolved(hello["entry"])
    manifest = manifests.find(found.entry.partition(":")[0])
    _require(manifest)
    end = early_log()
    try:
        install()
        cls = imported(hello, found.entry)
        stand_ins = used(cls)
        give_names(cls)
        if manifest is None:
            file = getattr(sys.modules[cls.__module__], "__file__", None)
            manifest = manifests.beside([os.path.dirname(file)]) if file else None
            _require(manifest)
        plugin = ForgesytePlugin(hello, found, manifest, cls(), worker)
        plugin.facts["shims"] = stand_ins
        return plugin
    finally:
        end()
