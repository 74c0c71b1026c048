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
    from typing import Any

__all__ = ["job_error", "safe_repr", "safe_str"]

MESSAGE_BYTES_MAX = 16 << 10
REPR_BYTES_MAX = 4 << 10
_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def job_error(
    exc: BaseException, plugin_name: str | None, instance: str | None, cancelled: bool = False
) -> dict[str, Any]:
    """The JobError of an exception. `cancelled`: the call was, so asyncio's word for it counts too."""
    kind = type(exc)
    name = kind.__name__
    if isinstance(exc, Cancelled) or (cancelled and name in ("CancelledError", "GeneratorExit")):
        category, name, retriable = "transient", "Cancelled", False
        message = safe_str(exc) or "the call was cancelled"
    else:
        category = category_of(exc)
        retriable = category != "fatal"
        message = safe_str(exc) or name
    own = isinstance(exc, HardpointError)
    return {
        "category": category,
        "error_type": _cut(name, 200),
        "message": _cut(message, MESSAGE_BYTES_MAX),
        "retriable": retriable,
        "original_exc_repr": _cut(safe_repr(exc), REPR_BYTES_MAX),
        "traceback": _cut(_traceback(exc), TRACEBACK_BYTES_MAX),
        "retry_after_seconds": _number(getattr(exc, "retry_after_seconds", None)) if own else None,
        "fields_invalid": _names(getattr(exc, "fields_invalid", None)) if own else None,
        "resource_shortfall": _shortfall(getattr(exc, "resource_shortfall", None)) if own else None,
        "plugin_name": plugin_name,
        "plugin_instance_id": instance,
        "occurred_at": rfc3339(time.time()),
    }


def rfc3339(seconds: float) -> str:
    """A point in time, in UTC, to the microsecond."""
    micros = int(seconds * 1_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000))
    return f"{whole}.{micros % 1_000_000:06d}Z"


def safe_str(value: Any) -> str:
    """`str(value)`, which is plugin code and may do anything."""
    try:
        return str(value)
    except BaseException as error:
        return f"<str() of {type(value).__name__} raised {type(error).__name__}>"


def safe_repr(value: Any) -> str:
    """`repr(value)`, which is plugin code and may do anything."""
    try:
        return repr(value)
    except BaseException as error:
        return f"<repr() of {type(value).__name__} raised {type(error).__name__}>"


def _traceback(exc: BaseException) -> str:
    import traceback

    frames = exc.__traceback__
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
    if isinstance(value, (int, float)) and 0 <= value < float("inf"):
        return float(value)
    return None


def _names(value: Any) -> list[str] | None:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_cut(safe_str(name), 400) for name in value][:100]
    return None


def _shortfall(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, ResourceShortfall):
        return None
    needed, available = _number(value.needed), _number(value.available)
    if needed is None or available is None:
        return None
    return {"resource": safe_str(value.resource), "needed": value.needed, "available": value.available}
