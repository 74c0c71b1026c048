"""Values: Python objects to JSON text with blobs, and back.

Owns: what may be sent, how the odd values of the protocol are treated, and the escape of objects that
look like ours. Must not know: frames, calls, sockets.

The usual value takes one pass of the C encoder; a few cheap looks at its text say whether the exact,
slow walk is needed (`_exact.py`).
"""

from __future__ import annotations

from hardpoint._worker.limits import BLOB_INLINE_BYTES_MAX, NESTING_MAX
from hardpoint.errors import ResultNotSerializable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["Encoded", "ValueEncoder", "decode", "dumps", "parse_object", "to_plain"]

INT_MIN = -(1 << 63)
INT_MAX = (1 << 64) - 1
# Integers of 19 digits may leave the range; this finds them at the speed of memcpy.
_DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_LONG_RUN = b"0" * 19


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _ScannerSettings:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse_constant)
    memo: dict[str, str] = {}


# The C halves of the standard `json` package, without the package: importing it pulls in `re`, which
# alone would cost a fifth of the worker's start. Where they do not exist, the package does the work.
try:
    from _json import encode_basestring as _quote
    from _json import make_encoder as _make_encoder
    from _json import make_scanner as _make_scanner

    _scan: Callable[[str, int], tuple[Any, int]] = _make_scanner(_ScannerSettings())  # type: ignore[arg-type]

    def c_encoder(default: Callable[[Any], Any]) -> Callable[[Any, int], tuple[str, ...]]:
        """An encoder that asks `default` for what JSON does not know."""
        return _make_encoder(None, default, _quote, None, ":", ",", False, False, False)

    c_encoder(repr)([1], 0)
except (ImportError, TypeError):  # pragma: no cover (another interpreter than CPython 3.9 to 3.13)
    import json as _json_package

    _scan = _json_package.JSONDecoder(parse_constant=_refuse_constant).raw_decode

    def c_encoder(default: Callable[[Any], Any]) -> Callable[[Any, int], tuple[str, ...]]:
        """An encoder that asks `default` for what JSON does not know."""
        encode = _json_package.JSONEncoder(
            default=default, ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
        ).encode
        return lambda value, _level: (encode(value),)


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` is; None when it is anything else."""
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError, SystemError):
        # SystemError: the interpreter's own scanner fails without a reason on some broken numbers and names.
        stripped = text.strip(" \t\r\n")
        return parse_object(stripped) if len(stripped) < len(text) else None
    if end != len(text) and text[end:].strip(" \t\r\n"):
        return None
    return value if type(value) is dict else None


def _refuse(value: Any) -> Any:
    raise TypeError(f"a {type(value).__name__} is no part of a message")


_dumps = c_encoder(_refuse)


def dumps(header: dict[str, Any]) -> bytes:
    """A message of our own. Strings that UTF-8 cannot hold lose those characters."""
    return "".join(_dumps(header, 0)).encode("utf-8", "replace")


class Encoded:
    """A value ready to be sent."""

    __slots__ = ("blobs", "json", "non_finite")

    def __init__(self, json: bytes, blobs: list[Any] | None, non_finite: int) -> None:
        self.json = json
        self.blobs = blobs
        self.non_finite = non_finite


class ValueEncoder:
    """Encodes values; one per thread, because it collects blobs while it works."""

    __slots__ = ("_blobs", "_encode")

    def __init__(self) -> None:
        self._blobs: list[Any] = []
        self._encode = c_encoder(self._default)

    def encode(self, value: Any) -> Encoded:
        """The JSON of `value` and its blobs; `ResultNotSerializable` when it cannot be sent."""
        if self._blobs:
            self._blobs = []
        try:
            text = "".join(self._encode(value, 0))
            data = text.encode()
        except (TypeError, ValueError, RecursionError, ResultNotSerializable):
            return self._encode_exactly(value)
        length = len(data)
        if length > 19:
            if _LONG_RUN in data.translate(_DIGITS):
                return self._encode_exactly(value)
            if length > 2 * NESTING_MAX and text.count("{") + text.count("[") > NESTING_MAX:
                return self._encode_exactly(value) if _too_deep(value) else self._done(text, data, value)
        if '{"$' in text:
            return self._done(text, data, value)
        return Encoded(data, None, 0)

    def _done(self, text: str, data: bytes, value: Any) -> Encoded:
        """Objects that look like ours, and are not, need their escape."""
        if '{"$value":' in text or text.count('{"$blob":') != len(self._blobs):
            return self._encode_exactly(value)
        return Encoded(data, self._blobs or None, 0)

    def _encode_exactly(self, value: Any) -> Encoded:
        from hardpoint._worker._exact import Walk

        walk = Walk()
        plain = walk.plain(value)
        self._blobs = []
        try:
            data = "".join(self._encode(plain, 0)).encode()
        except UnicodeEncodeError as error:
            found = error.object[error.start]
            raise ResultNotSerializable(f"a string holds a lone surrogate: {found!a}") from None
        return Encoded(data, walk.blobs or None, walk.non_finite)

    def _default(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            self._blobs.append(value)
            return {"$blob": len(self._blobs) - 1}
        return to_plain(value)


def _too_deep(value: Any) -> bool:
    """Whether containers nest deeper than allowed: level by level, without recursion."""
    level = [value]
    for _ in range(NESTING_MAX):
        deeper: list[Any] = []
        for container in level:
            if isinstance(container, dict):
                deeper += [child for child in container.values() if not isinstance(child, _SCALARS)]
            elif isinstance(container, (list, tuple)):
                deeper += [child for child in container if not isinstance(child, _SCALARS)]
            elif not isinstance(container, _BYTES):
                # An object behind `default`: only the exact walk sees inside.
                return True
        if not deeper:
            return False
        level = deeper
    return True


_SCALARS = (str, int, float, type(None))
_BYTES = (bytes, bytearray, memoryview)


def to_plain(value: Any) -> Any:
    """One step from an object JSON does not know towards one it knows."""
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name, field in fields.items() if _is_field(field)}
    for base in type(value).__mro__:
        convert = _KNOWN.get((base.__module__, base.__name__))
        if convert is not None:
            return convert(value)
    tolist = getattr(value, "tolist", None)
    if callable(tolist) and not isinstance(value, type):
        return tolist()
    raise ResultNotSerializable(f"a {type_name(value)} cannot be sent as JSON")


def _is_field(field: Any) -> bool:
    kind: str = field._field_type.name
    return kind == "_FIELD"


def type_name(value: Any) -> str:
    """The type's name as its author would write it."""
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


# By name, so that nothing has to be imported to be recognised.
_KNOWN: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("enum", "Enum"): lambda value: value.value,
    ("datetime", "date"): lambda value: value.isoformat(),
    ("datetime", "time"): lambda value: value.isoformat(),
    ("pathlib", "PurePath"): str,
    ("pathlib._local", "PurePath"): str,
    ("uuid", "UUID"): str,
}


def decode(value: Any, blob: Callable[[int], Any]) -> Any:
    """A received value with its blobs in place and its escapes undone."""
    if type(value) is dict:
        if len(value) == 1:
            if "$blob" in value:
                return blob(value["$blob"])
            if "$value" in value:
                inner = value["$value"]
                if type(inner) is dict:
                    return {key: decode(child, blob) for key, child in inner.items()}
        return {key: decode(child, blob) for key, child in value.items()}
    if type(value) is list:
        return [decode(child, blob) for child in value]
    return value


def inline(data: Any) -> bool:
    """Whether these bytes lie in the body of their frame."""
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    return size < BLOB_INLINE_BYTES_MAX
