"""The ways in which tools of this contract describe their arguments.

Owns: which arguments a schema names, which of them are binary, their type words. Must not know: calls.

    JSON Schema   {"type": "object", "properties": {...}, "required": [...]}
    flat          {"image_bytes": {...}, "device": {"type": "string", "default": "cpu"}}
    opaque        any other dict
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["binary_names", "input_types", "open_schema", "properties_of", "schema_of", "type_words"]

ALWAYS_BINARY = "image_bytes"
_WORDS = ("string", "integer", "number", "boolean", "array", "object")
# What says something about an argument and allows every value.
_ANNOTATIONS = {"title": str, "description": str, "default": object, "examples": list}


def schema_of(metadata: dict[str, Any], side: str) -> dict[str, Any]:
    """`input_schema` or `output_schema` of a tool, or what stands for it (`inputs`, `outputs`)."""
    for key in (f"{side}_schema", f"{side}s"):
        if isinstance(metadata.get(key), dict):
            found: dict[str, Any] = metadata[key]
            return found
    return {}


def _has_properties(schema: dict[str, Any]) -> bool:
    """Whether `properties` is the keyword of JSON Schema, and not an argument of that name."""
    properties = schema.get("properties")
    return isinstance(properties, dict) and not isinstance(properties.get("type"), str)


def properties_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, whatever the schema's form."""
    if _has_properties(schema):
        found: dict[str, Any] = schema["properties"]
        return found
    flat = bool(schema) and all(isinstance(value, dict) for value in schema.values())
    return schema if flat else {}


def _required(schema: dict[str, Any]) -> set[str] | None:
    """The names that must be given; None where the schema's form cannot say."""
    if not _has_properties(schema):
        return None
    required = schema.get("required")
    return {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()


def _choices(field: Any) -> list[dict[str, Any]]:
    """A field and what it may be instead (`anyOf`, as pydantic writes `bytes | None`)."""
    if not isinstance(field, dict):
        return []
    found = [field]
    for key in ("anyOf", "oneOf"):
        if isinstance(field.get(key), list):
            found += [choice for choice in field[key] if isinstance(choice, dict)]
    return found


def binary_names(schema: dict[str, Any]) -> set[str]:
    """The arguments that are bytes for the plugin."""
    found = {ALWAYS_BINARY}
    for name, field in properties_of(schema).items():
        for choice in _choices(field):
            if choice.get("type") == "bytes" or choice.get("format") == "binary":
                found.add(name)
    return found


def open_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema for our side: it names the arguments and allows every value, as the old host did."""
    properties = {}
    for name, field in properties_of(schema).items():
        said = field if isinstance(field, dict) else {}
        properties[name] = {
            key: said[key]
            for key, kind in _ANNOTATIONS.items()
            if key in said and isinstance(said[key], kind)
        }
    return {"type": "object", "properties": properties}


def type_words(schema: dict[str, Any]) -> dict[str, str]:
    """The arguments with the words of manifests: `string`, `integer?`."""
    required = _required(schema)
    words = {}
    for name, field in properties_of(schema).items():
        kinds = [kind for choice in _choices(field) for kind in _kinds(choice)]
        word = next((kind for kind in kinds if kind in _WORDS), "string" if "bytes" in kinds else "object")
        given = isinstance(field, dict) and "default" in field
        optional = given or "null" in kinds or (required is not None and name not in required)
        words[name] = word + "?" * optional
    return words


def _kinds(field: dict[str, Any]) -> list[Any]:
    kind = field.get("type")
    return kind if isinstance(kind, list) else [kind]


def input_types(schema: dict[str, Any]) -> list[str]:
    """What a tool works on, where no manifest says it."""
    names = properties_of(schema)
    found = ["image_bytes"] if "image_bytes" in names or "image_base64" in names else []
    return [*found, "video"] if "video_path" in names else found
