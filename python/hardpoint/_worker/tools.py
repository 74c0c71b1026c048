"""Tools: a plugin's marked methods with their schemas, and how arguments reach them.

Owns: names, descriptions, schemas, the cheap argument check. Must not know: when and where a tool runs.
"""

from __future__ import annotations

from hardpoint._context import Context
from hardpoint._plugin import MARK, ToolOptions
from hardpoint._schema import AnnotationError, Spec, resolve, spec_of
from hardpoint._worker.values import decode, dumps
from hardpoint.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.calls import Call

__all__ = ["ASYNC", "ASYNC_STREAM", "STREAM", "SYNC", "Blobs", "Tool", "ToolError", "clean_text", "tools_of"]

SYNC, ASYNC, STREAM, ASYNC_STREAM = range(4)

_VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200
_STREAMS = ("Iterator", "Iterable", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator")


class ToolError(Exception):
    """A tool (or the plugin around it) is written in a way that cannot work."""


class Tool:
    """One callable of the plugin; also what a hook request calls."""

    __slots__ = (
        "alone", "attribute", "context_name", "description", "extra", "function", "input_schema", "is_hook",
        "kind", "kinds", "name", "output_schema", "quick", "required", "specs",
        "timeout_seconds",
    )  # fmt: skip

    def __init__(self, name: str, kind: int = SYNC, function: Callable[..., Any] | None = None) -> None:
        self.name = name
        self.attribute = name
        self.kind = kind
        self.function: Callable[..., Any] | None = function
        self.is_hook = function is not None
        # Whether nothing else of the plugin may run beside it.
        self.alone = False
        self.description = ""
        self.context_name: str | None = None
        # Whether it takes any argument: `**kwargs`, and hooks, whose fields the protocol names.
        self.extra = function is not None
        self.specs: dict[str, Spec] = {}
        self.kinds: dict[str, tuple[type, ...] | None] = {}
        self.required: frozenset[str] = frozenset()
        self.quick = False
        self.timeout_seconds: float | None = None
        self.input_schema: dict[str, Any] = {}
        self.output_schema: dict[str, Any] = {}

    def describe(self) -> dict[str, Any]:
        """The tool as `ready` carries it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
            "streaming": self.kind in (STREAM, ASYNC_STREAM),
            "timeout_seconds": self.timeout_seconds,
        }

    def arguments(self, call: Call, context: Callable[[Call], Any]) -> dict[str, Any]:
        """The keyword arguments for this call; `InputError` names every field that is wrong."""
        args = call.args
        if not call.escaped:
            kinds = self.kinds
            for name, value in args.items():
                accepted = kinds.get(name, ())
                if accepted is not None and type(value) not in accepted:
                    break
            else:
                if self.required <= args.keys():
                    if self.context_name is not None:
                        args[self.context_name] = context(call)
                    return args
        return self._convert(call, context)

    def _convert(self, call: Call, context: Callable[[Call], Any]) -> dict[str, Any]:
        wrong: dict[str, str] = {}
        built: dict[str, Any] = {}
        whole = Blobs(call.blobs)
        for name, value in call.args.items():
            spec = self.specs.get(name)
            if spec is None:
                if not self.extra:
                    wrong[name] = "unknown"
                    continue
                spec = _ANYTHING
            try:
                if call.escaped:
                    value = whole.decode(value, spec.view)
                built[name] = _fit(spec, value)
            except (TypeError, ValueError) as error:
                wrong[name] = str(error)
        for name in sorted(self.required - call.args.keys()):
            wrong[name] = "missing"
        if wrong:
            listed = "; ".join(f"{name}: {problem}" for name, problem in wrong.items())
            raise InputError(f"tool `{self.name}`: {listed}", fields_invalid=list(wrong))
        if self.context_name is not None:
            built[self.context_name] = context(call)
        return built


_ANYTHING = Spec({})
_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", list: "an array"}
_NAMES.update({dict: "an object", bytes: "bytes", memoryview: "bytes", type(None): "null"})


def _fit(spec: Spec, value: Any) -> Any:
    if spec.kinds is None or type(value) in spec.kinds:
        return value
    if spec.convert is not None:
        return spec.convert(value)
    wanted = " or ".join(dict.fromkeys(_NAMES.get(kind, kind.__name__) for kind in spec.kinds))
    raise TypeError(f"expected {wanted}, got {_NAMES.get(type(value), type(value).__name__)}")


class Blobs:
    """The blobs of one call: read when first used, shared when named twice."""

    def __init__(self, blobs: list[Any] | None) -> None:
        self._blobs = blobs or []
        self._read: dict[int, Any] = {}

    def decode(self, value: Any, view: bool) -> Any:
        """A received value with its bytes in place."""
        if view and type(value) is dict and len(value) == 1 and "$blob" in value:
            return self._get(value["$blob"], True)
        return decode(value, lambda index: self._get(index, False))

    def _get(self, index: Any, view: bool) -> Any:
        from hardpoint._worker.blobs import blob_bytes, blob_view

        if type(index) is not int or not 0 <= index < len(self._blobs):
            raise ValueError(f"there is no blob {index!r}")
        found = self._read.get(index)
        if found is None:
            found = self._read[index] = (blob_view if view else blob_bytes)(self._blobs[index])
        if view:
            return found if isinstance(found, memoryview) else memoryview(found)
        return found if isinstance(found, bytes) else bytes(found)


def tools_of(cls: type) -> dict[str, Tool]:
    """The tools of a plugin class, in the order they were written."""
    found: dict[str, tuple[Any, ToolOptions]] = {}
    for base in reversed(cls.__mro__):
        for attribute, value in vars(base).items():
            options = getattr(value, MARK, None)
            if isinstance(options, ToolOptions):
                found[attribute] = (value, options)
            elif attribute in found:
                del found[attribute]
    tools: dict[str, Tool] = {}
    for attribute, (function, options) in found.items():
        tool = _tool_of(attribute, function, options)
        other = tools.get(tool.name)
        if other is not None:
            raise ToolError(f"tool name `{tool.name}` is used by {other.attribute} and by {attribute}")
        tools[tool.name] = tool
    return tools


def kind_of(function: Any) -> int:
    """Whether calling it gives a value, a coroutine or a stream."""
    flags = _unwrapped(function).__code__.co_flags
    if flags & _ASYNC_GENERATOR:
        return ASYNC_STREAM
    if flags & _COROUTINE:
        return ASYNC
    return STREAM if flags & _GENERATOR else SYNC


def _unwrapped(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not hasattr(function, "__code__"):
        raise ToolError(f"{function!r} is not a method written in Python")
    return function


def _tool_of(attribute: str, function: Any, options: ToolOptions) -> Tool:
    tool = Tool(options.name or attribute, kind_of(function))
    tool.attribute = attribute
    plain = _unwrapped(function)
    text = options.description if options.description is not None else function.__doc__
    tool.description = clean_text(text or "")
    tool.timeout_seconds = None if options.timeout_seconds is None else float(options.timeout_seconds)
    code = plain.__code__
    if code.co_flags & _VARARGS:
        raise ToolError(f"tool `{tool.name}` takes *args: arguments come by name")
    if code.co_posonlyargcount > 1:
        raise ToolError(f"tool `{tool.name}` has positional-only parameters: arguments come by name")
    count = code.co_argcount
    names = list(code.co_varnames[1 : count + code.co_kwonlyargcount])
    if count < 1:
        raise ToolError(f"tool `{tool.name}` has no `self` parameter")
    tool.extra = bool(code.co_flags & _VARKEYWORDS)
    defaults = dict(zip(code.co_varnames[:count][::-1], (plain.__defaults__ or ())[::-1]))
    defaults.update(plain.__kwdefaults__ or {})
    _read_annotations(tool, plain, names, defaults)
    return tool


def _read_annotations(tool: Tool, plain: Any, names: list[str], defaults: dict[str, Any]) -> None:
    annotations, scope = plain.__annotations__, plain.__globals__
    properties: dict[str, Any] = {}
    for name in names:
        try:
            annotation = resolve(annotations.get(name, object), scope)
            if _is_context(annotation) or (name == "ctx" and name not in annotations):
                tool.context_name = name
                continue
            spec = spec_of(annotation, scope)
        except AnnotationError as error:
            raise ToolError(f"tool `{tool.name}`, parameter `{name}`: {error}") from error
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise ToolError(f"tool `{tool.name}`, parameter `{name}`: {problem}") from error
        tool.specs[name] = spec
        tool.kinds[name] = spec.kinds
        properties[name] = _with_default(spec.schema, defaults, name)
    tool.required = frozenset(name for name in properties if name not in defaults)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in properties if name not in defaults]
    if required:
        schema["required"] = required
    if not tool.extra:
        schema["additionalProperties"] = False
    tool.input_schema = schema
    try:
        tool.output_schema = _output_schema(tool.kind, annotations.get("return", object), scope)
    except Exception as error:
        raise ToolError(f"tool `{tool.name}`, result: {error}") from error


def _is_context(annotation: Any) -> bool:
    if annotation is Context:
        return True
    arguments = getattr(annotation, "__args__", ())
    return isinstance(arguments, tuple) and Context in arguments


def _with_default(schema: dict[str, Any], defaults: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in defaults:
        return schema
    default = getattr(defaults[name], "value", defaults[name])
    if isinstance(default, tuple):
        default = list(default)
    try:
        dumps({"default": default})
    except (TypeError, ValueError, RecursionError):
        return schema
    return {**schema, "default": default}


def _output_schema(kind: int, annotation: Any, scope: dict[str, Any]) -> dict[str, Any]:
    annotation = resolve(annotation, scope)
    if kind in (STREAM, ASYNC_STREAM):
        # The schema of a stream is that of its items.
        origin = getattr(annotation, "__origin__", None)
        if getattr(origin, "__name__", getattr(origin, "_name", "")) not in _STREAMS:
            return {}
        annotation = annotation.__args__[0]
        if type(annotation).__name__ == "TypeVar":
            return {}
    return spec_of(annotation, scope).schema


def clean_text(text: str) -> str:
    """A docstring without its indentation."""
    lines = text.expandtabs().strip().split("\n")
    rest = [line for line in lines[1:] if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    return "\n".join([lines[0].strip(), *(line[margin:].rstrip() for line in lines[1:])])
