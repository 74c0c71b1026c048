"""Config schemas of the contract: what they mean, and what a config gets wrong.

Owns: the check of a config against the plugin's own schema, its defaults, its hash. Must not know: plugins.

The schemas are made from dataclasses, and say `string` for every type they do not know and the first
member of a union. So a value of the JSON type that the field's default has is always right.
"""

from __future__ import annotations

import json
import re

# The C half of `hashlib` alone: the package brings OpenSSL along, which is half of what an idle worker holds.
try:
    from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    try:
        # Its name before Python 3.12.
        from _sha256 import sha256  # type: ignore[import-not-found,no-redef,unused-ignore]
    except ImportError:
        from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["canonical_hash", "defaults", "mistakes", "widened"]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}
_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": _DATE + r"[Tt ]" + _TIME,
    "email": r"[^@\s]+@[^@\s]+",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S+",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "ipv4": r"((25[0-5]|2[0-4]\d|1?\d?\d)(\.|$)){4}",
}


def _properties(schema: Any) -> dict[str, Any] | None:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else None


def json_type(value: Any) -> str:
    """The JSON type of a value."""
    if isinstance(value, bool):
        return "boolean"
    for name in ("integer", "number", "string", "array", "object"):
        if isinstance(value, _TYPES[name]):
            return name
    return "null"


def widened(schema: Any) -> dict[str, Any] | None:
    """The schema with every default allowed and no other keys; None where any config will do."""
    properties = _properties(schema)
    if properties is None:
        return None
    fields: dict[str, Any] = {}
    for name, field in properties.items():
        fields[name] = field
        wanted = field.get("type") if isinstance(field, dict) else None
        if wanted is not None and "default" in field:
            allowed = [wanted] if isinstance(wanted, str) else list(wanted)
            own = json_type(field["default"])
            if not any(own == name or (own == "integer" and name == "number") for name in allowed):
                fields[name] = {**field, "type": [*allowed, own]}
    return {**schema, "type": "object", "properties": fields, "additionalProperties": False}


def defaults(schema: Any) -> dict[str, Any]:
    """The config of somebody who gave none."""
    fields = (_properties(schema) or {}).items()
    return {
        name: field["default"] for name, field in fields if isinstance(field, dict) and "default" in field
    }


def mistakes(schema: dict[str, Any] | None, config: dict[str, Any]) -> dict[str, str]:
    """What is wrong with each field that the schema, which is `widened`, knows."""
    found = {}
    for name, field in (_properties(schema) or {}).items():
        if name in config and isinstance(field, dict):
            problem = _problem(field, config[name])
            if problem is not None:
                found[name] = problem
    return found


def _problem(field: dict[str, Any], value: Any) -> str | None:
    if "default" in field and type(value) is type(field["default"]) and value == field["default"]:
        return None
    wanted = field.get("type")
    if wanted is not None:
        allowed = [wanted] if isinstance(wanted, str) else list(wanted)
        if not any(_fits(value, name) for name in allowed):
            return f"expected {' or '.join(map(str, allowed))}, got {json_type(value)}"
    if "enum" in field and value not in field["enum"]:
        return f"{value!r} is not one of {field['enum']}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number_problem(field, value)
    if isinstance(value, str):
        return _text_problem(field, value)
    if isinstance(value, (list, tuple)) and isinstance(field.get("items"), dict):
        problems = (_problem(field["items"], item) for item in value)
        return next((problem for problem in problems if problem is not None), None)
    return None


def _fits(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    kinds: tuple[type, ...] = _TYPES.get(name, (object,))
    return isinstance(value, kinds)


def _number_problem(field: dict[str, Any], value: float) -> str | None:
    if "minimum" in field and value < field["minimum"]:
        return f"{value} is less than the minimum {field['minimum']}"
    if "maximum" in field and value > field["maximum"]:
        return f"{value} is more than the maximum {field['maximum']}"
    return None


def _text_problem(field: dict[str, Any], value: str) -> str | None:
    shortest, longest = field.get("minLength"), field.get("maxLength")
    if shortest is not None and len(value) < shortest:
        return f"its length {len(value)} is less than {shortest}"
    if longest is not None and len(value) > longest:
        return f"its length {len(value)} is more than {longest}"
    # As the package itself looks at patterns: from the beginning, not anywhere.
    checks: list[tuple[Any, str, Callable[..., Any]]] = [
        (field.get("pattern"), f"does not match the pattern {field.get('pattern')!r}", re.match),
        (_FORMATS.get(field.get("format", "")), f"is no {field.get('format')}", re.fullmatch),
    ]
    for pattern, text, match in checks:
        if pattern is not None and not match(pattern, value):
            return f"{value!r} {text}"
    return None


def canonical_hash(schema: Any) -> str:
    """The hash by which a manifest knows this schema again."""
    text = json.dumps(schema or {}, sort_keys=True, separators=(",", ":"))
    return f"sha256:{sha256(text.encode()).hexdigest()}"
