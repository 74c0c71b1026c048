"""The exact walk over a value: for those the fast encoder cannot judge.

Owns: every rule of "Odd values". Must not know: frames. Loaded when the first such value comes.
"""

from __future__ import annotations

from hardpoint._worker.limits import NESTING_MAX
from hardpoint._worker.values import INT_MAX, INT_MIN, to_plain, type_name
from hardpoint.errors import ResultNotSerializable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Walk"]

OURS = ("$blob", "$value")


class Walk:
    """Rewrites a value into one that may be sent, or says where it cannot."""

    def __init__(self) -> None:
        self.blobs: list[Any] = []
        self.non_finite = 0
        self._path: list[str] = []

    def plain(self, value: Any, depth: int = 0) -> Any:
        """`value` in plain JSON types, blobs replaced, looks-alike escaped."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return self._number(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            self.blobs.append(value)
            return {"$blob": len(self.blobs) - 1}
        if depth >= NESTING_MAX:
            raise self._refused(f"values nest deeper than {NESTING_MAX}")
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, (list, tuple)):
            return self._list(value, depth)
        try:
            step = to_plain(value)
        except ResultNotSerializable:
            raise self._refused(f"a {type_name(value)} cannot be sent as JSON") from None
        if isinstance(step, dict):
            return self._object(step, depth)
        return self.plain(step, depth + 1)

    def _text(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self._refused(f"a string holds a lone surrogate: {value[error.start]!a}") from None
        return value

    def _integer(self, value: int) -> int:
        if not INT_MIN <= value <= INT_MAX:
            raise self._refused("an integer is below -2^63 or above 2^64-1")
        return value

    def _number(self, value: float) -> float | None:
        if value != value or value in (float("inf"), float("-inf")):
            self.non_finite += 1
            return None
        return value

    def _list(self, value: Any, depth: int) -> list[Any]:
        out = []
        for index, child in enumerate(value):
            self._path.append(f"[{index}]")
            out.append(self.plain(child, depth + 1))
            self._path.pop()
        return out

    def _object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, child in value.items():
            name = self._key(key)
            self._path.append(f".{name}")
            out[name] = self.plain(child, depth + 1)
            self._path.pop()
        if len(out) == 1 and next(iter(out)) in OURS:
            return {"$value": out}
        return out

    def _key(self, key: Any) -> str:
        if isinstance(key, str):
            return self._text(key)
        if key is None:
            return "null"
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, int):
            return int.__repr__(self._integer(key))
        if isinstance(key, float):
            if key != key:
                return "NaN"
            if key in (float("inf"), float("-inf")):
                return "Infinity" if key > 0 else "-Infinity"
            return float.__repr__(key)
        raise self._refused(f"a key is a {type_name(key)}, not a string")

    def _refused(self, reason: str) -> ResultNotSerializable:
        path = "".join(self._path)
        if len(path) > 200:
            path = path[:200] + "..."
        return ResultNotSerializable(f"{reason} (at `result{path}`)")
