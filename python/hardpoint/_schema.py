"""Annotations to JSON Schemas, and received JSON to what the annotation promised.

Owns: which annotations exist, their schema, their cheap type check, their conversion. Must not know:
tools and calls. It never imports `typing`: an annotation that uses it means the plugin already has.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Convert = Callable[[Any], Any]

__all__ = ["AnnotationError", "Spec", "bytes_schema", "resolve", "spec_of"]


class AnnotationError(TypeError):
    """An annotation that has no JSON Schema."""


def bytes_schema() -> dict[str, Any]:
    """The schema of everything binary: docs/reference/protocol.md, "Bytes in schemas"."""
    return {
        "type": "object",
        "format": "bytes",
        "minProperties": 1,
        "maxProperties": 1,
        "patternProperties": {"^\\$(bytes|blob)$": {}},
        "additionalProperties": False,
    }


class Spec:
    """What an annotation means."""

    __slots__ = ("builds", "convert", "kinds", "schema", "view")

    def __init__(
        self,
        schema: dict[str, Any],
        kinds: tuple[type, ...] | None = None,
        convert: Convert | None = None,
        view: bool = False,
        builds: bool | None = None,
    ) -> None:
        self.schema = schema
        # The exact types accepted as they are; None accepts everything.
        self.kinds = kinds
        # Builds the annotated type from JSON; raises TypeError or ValueError.
        self.convert = convert
        # Whether a blob is mapped instead of copied.
        self.view = view
        # Whether JSON that fits still has to be converted, element by element.
        self.builds = convert is not None and (not kinds or view) if builds is None else builds


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is int:
        return value
    raise TypeError(f"expected an integer, got {_json_name(value)}")


def _json_name(value: Any) -> str:
    names = {"dict": "an object", "list": "an array", "str": "a string", "int": "an integer"}
    names.update({"float": "a number", "bool": "a boolean", "NoneType": "null"})
    name = type(value).__name__
    return names.get(name, name)


def resolve(annotation: Any, scope: dict[str, Any]) -> Any:
    """Evaluate an annotation written as a string."""
    for _ in range(4):
        if type(annotation).__name__ == "ForwardRef":
            annotation = annotation.__forward_arg__
        if not isinstance(annotation, str):
            return annotation
        try:
            annotation = eval(annotation, scope)
        except TypeError:
            # `int | None` before Python 3.10.
            from hardpoint._unions import evaluate

            annotation = evaluate(annotation, scope)
        except NameError as error:
            raise AnnotationError(f"{annotation!r}: {error}") from None
    return annotation


def spec_of(annotation: Any, scope: dict[str, Any], inside: tuple[Any, ...] = ()) -> Spec:
    """The `Spec` of an annotation; `inside` are the classes being described, against recursion."""
    annotation = resolve(annotation, scope)
    simple = _SIMPLE.get(annotation) if isinstance(annotation, type) else None
    if simple is not None:
        return simple()
    if annotation is None:
        return Spec({"type": "null"}, (type(None),))
    typing = sys.modules.get("typing")
    if annotation is object or (typing is not None and annotation is typing.Any):
        return Spec({})
    if hasattr(annotation, "__origin__") or type(annotation).__name__ in ("UnionType", "Union"):
        from hardpoint._generics import generic_spec

        return generic_spec(annotation, scope, inside)
    from hardpoint._generics import class_spec

    return class_spec(annotation, scope, inside)


def _integer_spec() -> Spec:
    return Spec({"type": "integer"}, (int,), _integer)


def _number_spec() -> Spec:
    return Spec({"type": "number"}, (float, int))


def _set_spec() -> Spec:
    return Spec({"type": "array", "uniqueItems": True}, (), set)


def _tuple_of(value: Any) -> tuple[Any, ...]:
    if type(value) is not list:
        raise TypeError(f"expected an array, got {_json_name(value)}")
    return tuple(value)


def _bytearray_of(value: Any) -> bytearray:
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, got {_json_name(value)}")
    return bytearray(value)


_SIMPLE: dict[Any, Callable[[], Spec]] = {
    str: lambda: Spec({"type": "string"}, (str,)),
    int: _integer_spec,
    float: _number_spec,
    bool: lambda: Spec({"type": "boolean"}, (bool,)),
    type(None): lambda: Spec({"type": "null"}, (type(None),)),
    bytes: lambda: Spec(bytes_schema(), (bytes,)),
    bytearray: lambda: Spec(bytes_schema(), (), _bytearray_of),
    memoryview: lambda: Spec(bytes_schema(), (memoryview,), memoryview, view=True),
    list: lambda: Spec({"type": "array"}, (list,)),
    dict: lambda: Spec({"type": "object"}, (dict,)),
    tuple: lambda: Spec({"type": "array"}, (), _tuple_of),
    set: _set_spec,
}
