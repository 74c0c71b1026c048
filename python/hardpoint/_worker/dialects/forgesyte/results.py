"""Results of plugins of this contract: whatever they are, plain JSON leaves the worker.

Owns: the conversions. Must not know: calls. NaN and the infinities are left to the worker's encoder,
which makes them null and says so.
"""

from __future__ import annotations

from hardpoint._worker.limits import NESTING_MAX
from hardpoint._worker.values import type_name
from hardpoint.errors import ResultNotSerializable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["as_object"]


def as_object(value: Any) -> dict[str, Any]:
    """The result as an object: what is none stands in one under `result`."""
    plain = _plain(value, "result", 0)
    return plain if isinstance(plain, dict) else {"result": plain}


def _plain(value: Any, path: str, depth: int) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if depth > NESTING_MAX:
        raise ResultNotSerializable(f"values nest deeper than {NESTING_MAX} (at `{path[:200]}`)")
    if kind is dict:
        return _object(value, path, depth)
    if kind in (list, tuple, set, frozenset):
        return _list(value, path, depth)
    return _other(value, path, depth)


# Most values are of these, and the path to them is not worth being made.
_SCALARS = frozenset((str, int, float, bool, type(None)))


def _object(value: Any, path: str, depth: int) -> dict[str, Any]:
    return {
        key if type(key) is str else _key(key): (
            child if type(child) in _SCALARS else _plain(child, f"{path}.{_key(key)}", depth + 1)
        )
        for key, child in value.items()
    }


def _list(value: Any, path: str, depth: int) -> list[Any]:
    return [
        child if type(child) in _SCALARS else _plain(child, f"{path}[{index}]", depth + 1)
        for index, child in enumerate(value)
    ]


def _key(key: Any) -> str:
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if type(key) is str else str(key)


def _other(value: Any, path: str, depth: int) -> Any:
    names = {(base.__module__, base.__name__) for base in type(value).__mro__}
    if ("enum", "Enum") in names:
        return _plain(value.value, path, depth + 1)
    if isinstance(value, (bytes, bytearray, memoryview)):
        import base64

        return base64.b64encode(value).decode()
    if names & _ISO:
        return value.isoformat()
    if names & _PATHS:
        return str(value)
    for convert in ("model_dump", "dict"):
        method = getattr(value, convert, None)
        if callable(method) and not isinstance(value, type):
            return _plain(method(), path, depth + 1)
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return _object({name: getattr(value, name) for name in fields if hasattr(value, name)}, path, depth)
    tolist = getattr(value, "tolist", None)
    if callable(tolist) and hasattr(value, "dtype"):
        return _plain(tolist(), path, depth + 1)
    return _derived(value, path, depth)


_ISO = {("datetime", "date"), ("datetime", "time")}
_PATHS = {("pathlib", "PurePath"), ("pathlib._local", "PurePath")}


def _derived(value: Any, path: str, depth: int) -> Any:
    """Classes derived from those that JSON knows."""
    if isinstance(value, dict):
        return _object(value, path, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _list(value, path, depth)
    for plain in (str, int, float):
        if isinstance(value, plain):
            return plain(value)
    raise ResultNotSerializable(f"a {type_name(value)} cannot be sent as JSON (at `{path[:200]}`)")
