"""Exceptions to JobErrors.

Owns: what the host is told about an exception, within bounds, whatever its `str` and `repr` do.
Must not know: calls and sockets. Loaded with the first failure.
"""

from __future__ import annotations

import os
import time

from hardpoint._worker.limits import TRACEBACK_BYTES_MAX
from hardpoint.errors import Cancelled, HardpointError, ResourceShortfall, category_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    # What a dialect says of an exception of its own contract: the fields that differ.
    Explain = Callable[[BaseException], "dict[str, Any] | None"]

__all__ = ["job_error", "safe_repr", "safe_str"]

MESSAGE_BYTES_MAX = 16 << 10
REPR_BYTES_MAX = 4 << 10
NAME_BYTES_MAX = 200
FIELD_BYTES_MAX = 400
FIELDS_MAX = 100
_FRAMES = BaseException.__dict__["__traceback__"].__get__
_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def job_error(
    exc: BaseException,
    plugin_name: str | None,
    instance: str | None,
    cancelled: bool = False,
    explain: Explain | None = None,
) -> dict[str, Any]:
    """The JobError of an exception. `cancelled`: the call was, so asyncio's word for it counts too."""
    try:
        error = _of_exception(exc, cancelled)
        if explain is not None and error["error_type"] != "Cancelled":
            error.update(_explained(exc, explain))
    except BaseException as trouble:
        # Every attribute of an exception may be plugin code, and that may do anything.
        error = _empty("fatal", _cut(_kind(exc), NAME_BYTES_MAX))
        error["message"] = f"it cannot be told: {_kind(trouble)} was raised on the way"
    error.update(plugin_name=plugin_name, plugin_instance_id=instance, occurred_at=rfc3339(time.time()))
    return error


def _of_exception(exc: BaseException, cancelled: bool) -> dict[str, Any]:
    kind, name = type(exc), _kind(exc)
    if issubclass(kind, Cancelled) or (cancelled and name in ("CancelledError", "GeneratorExit")):
        error = _empty("transient", "Cancelled")
        error["retriable"] = False
        message = safe_str(exc) or "the call was cancelled"
    else:
        error = _empty(category_of(exc), _cut(name, NAME_BYTES_MAX))
        message = safe_str(exc) or name
    error["message"] = _cut(message, MESSAGE_BYTES_MAX)
    error["original_exc_repr"] = _cut(safe_repr(exc), REPR_BYTES_MAX)
    error["traceback"] = _cut(_traceback(exc), TRACEBACK_BYTES_MAX)
    if issubclass(kind, HardpointError):
        error["retry_after_seconds"] = _number(_attribute(exc, "retry_after_seconds"))
        error["fields_invalid"] = _names(_attribute(exc, "fields_invalid"))
        error["resource_shortfall"] = _shortfall(_attribute(exc, "resource_shortfall"))
    return error


def _explained(exc: BaseException, explain: Explain) -> dict[str, Any]:
    """What a dialect reads off an exception, within the same bounds as our own."""
    try:
        told = explain(exc) or {}
    except BaseException:
        # Its attributes are the plugin's code.
        return {}
    fit: dict[str, Callable[[Any], Any]] = {
        "retry_after_seconds": _number,
        "fields_invalid": _names,
        "resource_shortfall": _shortfall,
    }
    return {name: fit[name](value) if name in fit else value for name, value in told.items()}


def _empty(category: str, name: str) -> dict[str, Any]:
    return {
        "category": category,
        "error_type": name,
        "message": "",
        "retriable": category != "fatal",
        "original_exc_repr": "",
        "traceback": None,
        "retry_after_seconds": None,
        "fields_invalid": None,
        "resource_shortfall": None,
    }


def _kind(exc: BaseException) -> str:
    name = type.__getattribute__(type(exc), "__name__")
    return name if type(name) is str else "Exception"


def _attribute(exc: BaseException, name: str) -> Any:
    """An attribute, which may be a property of the plugin's."""
    try:
        return getattr(exc, name, None)
    except BaseException:
        return None


def rfc3339(seconds: float) -> str:
    """A point in time, in UTC, to the microsecond."""
    micros = int(seconds * 1_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000))
    return f"{whole}.{micros % 1_000_000:06d}Z"


def safe_str(value: Any) -> str:
    """`str(value)`, which is plugin code and may do anything."""
    try:
        # A subclass of `str` may lie about everything that is done with it next.
        return str.__str__(str(value))
    except BaseException as error:
        return f"<str() of {type(value).__name__} raised {type(error).__name__}>"


def safe_repr(value: Any) -> str:
    """`repr(value)`, which is plugin code and may do anything."""
    try:
        return str.__str__(repr(value))
    except BaseException as error:
        return f"<repr() of {type(value).__name__} raised {type(error).__name__}>"


def _traceback(exc: BaseException) -> str:
    import traceback

    # Asked of the base class: the plugin's own may answer otherwise.
    frames = _FRAMES(exc)
    # The worker's own frames lead to the plugin; nobody needs to read them.
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(exc), exc, frames))
    except BaseException as error:
        try:
            lines = traceback.format_tb(frames)
        except BaseException:
            lines = []
        trouble = f"{type(exc).__name__}: <the rest raised {type(error).__name__}>\n"
        return "".join(["Traceback (most recent call last):\n", *lines, trouble])


def _cut(text: str, limit: int) -> str:
    if len(text) * 4 <= limit:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    # The end of a traceback says what happened, the beginning where: keep both.
    mark = f"\n... [{len(data) - limit} bytes cut] ...\n".encode()
    half = (limit - len(mark)) // 2
    return (data[:half] + mark + data[-half:]).decode("utf-8", "ignore")


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if 0 <= number < float("inf") else None


def _names(value: Any) -> list[str] | None:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, (list, tuple, set, frozenset)):
        first = list(value)[:FIELDS_MAX]
        return [_cut(safe_str(name), FIELD_BYTES_MAX) for name in first]
    return None


def _shortfall(value: Any) -> dict[str, Any] | None:
    if not issubclass(type(value), ResourceShortfall):
        return None
    needed, available = _number(value.needed), _number(value.available)
    if needed is None or available is None:
        return None
    resource = _cut(safe_str(value.resource), NAME_BYTES_MAX)
    return {"resource": resource, "needed": needed, "available": available}
