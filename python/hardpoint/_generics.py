"""Schemas of the annotations beyond the plain types: generics, unions, classes.

Owns: `list[T]` to dataclasses and enums. Must not know: tools and calls. Loaded when a plugin uses one.
"""

from __future__ import annotations

import sys

from hardpoint._schema import AnnotationError, Spec, _json_name, resolve, spec_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["class_spec", "generic_spec"]

ARRAYS = ("list", "Sequence", "MutableSequence", "Iterable", "Collection", "deque", "Iterator")
OBJECTS = ("dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict")
SETS = ("set", "frozenset", "Set", "MutableSet", "AbstractSet")


def generic_spec(annotation: Any, scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    """The `Spec` of `X[...]` and `X | Y`."""
    if hasattr(annotation, "__metadata__"):
        return _annotated(annotation, scope, inside)
    origin = getattr(annotation, "__origin__", None)
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    typing = sys.modules.get("typing")
    if origin is None or (typing is not None and origin is typing.Union):
        return _union(arguments, scope, inside)
    name = getattr(origin, "__name__", None) or getattr(origin, "_name", None) or str(origin)
    if name == "Literal":
        return _choice(list(arguments))
    if name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar"):
        return spec_of(arguments[0], scope, inside)
    arguments = tuple(each for each in arguments if type(each).__name__ != "TypeVar")
    if origin is tuple:
        return _tuple(arguments, scope, inside)
    if name in ARRAYS:
        return _array(arguments, scope, inside)
    if name in OBJECTS:
        return _mapping(arguments, scope, inside)
    if name in SETS:
        spec = _array(arguments, scope, inside)
        convert = spec.convert
        make = frozenset if origin is frozenset else set
        build = (lambda v: make(convert(v))) if convert else make
        return Spec({**spec.schema, "uniqueItems": True}, (), build)
    raise AnnotationError(f"{annotation!r} has no JSON Schema")


def _annotated(annotation: Any, scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    spec = spec_of(annotation.__origin__, scope, inside)
    for note in annotation.__metadata__:
        if isinstance(note, str):
            spec.schema = {**spec.schema, "description": note}
        elif isinstance(note, dict):
            spec.schema = {**spec.schema, **note}
    return spec


def _union(members: tuple[Any, ...], scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    specs = [spec_of(member, scope, inside) for member in members]
    schema = {"anyOf": [spec.schema for spec in specs]}
    if any(spec.schema == {} for spec in specs):
        schema = {}
    view = any(spec.view for spec in specs)
    builds = any(spec.builds for spec in specs)
    if any(spec.kinds is None for spec in specs) and not builds:
        return Spec(schema, view=view)
    # Only kinds that mean the same under every member may pass without a look.
    kinds = tuple(kind for spec in specs for kind in spec.kinds or ())
    if builds:
        kinds = tuple(kind for kind in kinds if kind not in (dict, list, str, bytes))

    def convert(value: Any) -> Any:
        problem: Exception | None = None
        for spec in specs:
            if spec.convert is not None:
                try:
                    return spec.convert(value)
                except (TypeError, ValueError) as error:
                    problem = problem or error
        for spec in specs:
            if spec.kinds is None or type(value) in spec.kinds:
                return value
        raise problem or TypeError(f"{_json_name(value)} fits none of the types allowed")

    return Spec(schema, kinds, convert, view, builds)


def _choice(values: list[Any]) -> Spec:
    plain = [getattr(value, "value", value) for value in values]
    pairs = list(zip(plain, values))

    def convert(value: Any) -> Any:
        for allowed, result in pairs:
            if allowed == value and type(allowed) is type(value):
                return result
        raise ValueError(f"{value!r} is none of {', '.join(repr(each) for each in plain)}")

    return Spec({"enum": plain}, (), convert)


def _checked(spec: Spec) -> Callable[[Any], Any] | None:
    """What has to be done to every element; None when nothing."""
    if spec.convert is not None:
        return spec.convert
    kinds = spec.kinds
    if kinds is None:
        return None

    def check(value: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"unexpected {_json_name(value)}")
        return value

    return check


def _array(arguments: tuple[Any, ...], scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    if not arguments:
        return Spec({"type": "array"}, (list,))
    item = spec_of(arguments[0], scope, inside)
    schema = {"type": "array", "items": item.schema}
    build = item.convert
    if build is None or not item.builds:
        return Spec(schema, (list,))

    def convert(value: Any) -> list[Any]:
        if type(value) is not list:
            raise TypeError(f"expected an array, got {_json_name(value)}")
        return [build(element) for element in value]

    return Spec(schema, (), convert)


def _tuple(arguments: tuple[Any, ...], scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    if not arguments:
        return spec_of(tuple, scope)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        spec = _array(arguments[:1], scope, inside)
        inner = spec.convert
        return Spec(spec.schema, (), lambda v: tuple(inner(v) if inner else _list(v)))
    if arguments == ((),):
        arguments = ()
    items = [spec_of(argument, scope, inside) for argument in arguments]
    checks = [_checked(item) for item in items]
    count = len(items)
    schema: dict[str, Any] = {"type": "array", "prefixItems": [item.schema for item in items]}
    schema.update(minItems=count, maxItems=count)

    def convert(value: Any) -> tuple[Any, ...]:
        if len(_list(value)) != count:
            raise ValueError(f"expected {count} elements, got {len(value)}")
        return tuple(check(e) if check else e for check, e in zip(checks, value))

    return Spec(schema, (), convert)


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"expected an array, got {_json_name(value)}")
    return value


def _mapping(arguments: tuple[Any, ...], scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    if len(arguments) != 2:
        return Spec({"type": "object"}, (dict,))
    if resolve(arguments[0], scope) is not str:
        raise AnnotationError(f"keys of an object are strings, not {arguments[0]!r}")
    spec = spec_of(arguments[1], scope, inside)
    schema: dict[str, Any] = {"type": "object"}
    if spec.schema:
        schema["additionalProperties"] = spec.schema
    build = spec.convert
    if build is None or not spec.builds:
        return Spec(schema, (dict,))

    def convert(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {_json_name(value)}")
        return {key: build(element) for key, element in value.items()}

    return Spec(schema, (), convert)


def class_spec(cls: Any, scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    """The `Spec` of a class (or another object) that stands as an annotation."""
    supertype = getattr(cls, "__supertype__", None)
    if supertype is not None:
        return spec_of(supertype, scope, inside)
    if type(cls).__name__ == "TypeVar":
        return Spec({})
    if not isinstance(cls, type):
        return _special_form(cls)
    if cls in inside:
        return Spec({"type": "object"}, (dict,))
    own_scope = {**scope, **vars(sys.modules.get(cls.__module__, sys))}
    if hasattr(cls, "__total__") and issubclass(cls, dict):
        return _typed_dict(cls, own_scope, (*inside, cls))
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass(cls, own_scope, (*inside, cls))
    if any(base.__module__ == "enum" and base.__name__ == "Enum" for base in cls.__mro__):
        members: dict[str, Any] = vars(cls)["_member_map_"]
        return _choice([*members.values()])
    return _known_class(cls)


def _special_form(annotation: Any) -> Spec:
    name = getattr(annotation, "_name", None) or getattr(annotation, "__name__", "")
    if name in ("Any", "LiteralString", "AnyStr"):
        return Spec({"type": "string"}, (str,)) if name != "Any" else Spec({})
    raise AnnotationError(f"{annotation!r} has no JSON Schema")


def _known_class(cls: type) -> Spec:
    module, name = cls.__module__, cls.__name__
    if module in ("pathlib", "pathlib._local"):
        return Spec({"type": "string", "format": "path"}, (), cls)
    if module == "datetime" and name in ("datetime", "date", "time"):
        shape = {"datetime": "date-time"}.get(name, name)
        parse: Callable[[Any], Any] = cls.fromisoformat  # type: ignore[attr-defined]
        return Spec({"type": "string", "format": shape}, (), parse)
    if cls is frozenset:
        return Spec({"type": "array", "uniqueItems": True}, (), frozenset)
    raise AnnotationError(f"{module}.{cls.__qualname__} has no JSON Schema")


def _typed_dict(cls: Any, scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    fields: dict[str, Spec] = {}
    optional = set()
    for name, annotation in cls.__annotations__.items():
        annotation = resolve(annotation, scope)
        origin = getattr(annotation, "__origin__", None)
        if getattr(origin, "_name", None) == "NotRequired":
            optional.add(name)
        fields[name] = spec_of(annotation, scope, inside)
    required = [name for name in fields if name in cls.__required_keys__ and name not in optional]
    return Spec(_object_schema(fields, required), (), _object_converter(fields, required, dict))


def _dataclass(cls: Any, scope: dict[str, Any], inside: tuple[Any, ...]) -> Spec:
    from dataclasses import MISSING
    from dataclasses import fields as fields_of

    fields: dict[str, Spec] = {}
    required = []
    for field in fields_of(cls):
        if not field.init:
            continue
        spec = fields[field.name] = spec_of(field.type, scope, inside)
        if field.default is MISSING and field.default_factory is MISSING:
            required.append(field.name)
        else:
            factory = field.default_factory
            default = field.default if factory is MISSING else factory()
            if _is_json(default):
                spec.schema = {**spec.schema, "default": getattr(default, "value", default)}
        said = {word: field.metadata[word] for word in _FIELD_WORDS if word in field.metadata}
        if said:
            spec.schema = {**spec.schema, **said}
    return Spec(_object_schema(fields, required), (), _object_converter(fields, required, cls))


# What the metadata of a dataclass field says that belongs into its schema.
_FIELD_WORDS = (
    *("title", "description", "examples", "enum", "pattern", "format", "reload_trigger"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems"),
)


def _is_json(value: Any) -> bool:
    if type(value) is list:
        return all(_is_json(element) for element in value)
    if type(value) is dict:
        return all(type(key) is str and _is_json(element) for key, element in value.items())
    return isinstance(value, (str, int, float, bool, type(None)))


def _object_schema(fields: dict[str, Spec], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {name: spec.schema for name, spec in fields.items()}
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def _object_converter(
    fields: dict[str, Spec], required: list[str], make: Callable[..., Any]
) -> Callable[[Any], Any]:
    checks = {name: _checked(spec) for name, spec in fields.items()}

    def convert(value: Any) -> Any:
        if type(value) is make:
            return value if make is not dict else _build(value)
        return _build(value)

    def _build(value: Any) -> Any:
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {_json_name(value)}")
        missing = [name for name in required if name not in value]
        unknown = [name for name in value if name not in checks]
        if missing or unknown:
            parts = [f"missing {name!r}" for name in missing] + [f"unknown {n!r}" for n in unknown]
            raise ValueError(", ".join(parts))
        built = {}
        for name, element in value.items():
            check = checks[name]
            try:
                built[name] = check(element) if check else element
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}: {error}") from None
        return make(**built)

    return convert
