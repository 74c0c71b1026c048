"""What ends with its call: a child process, or anything that can be told to stop.

Owns: how a child is ended when its call is cancelled. Must not know: why a call is cancelled. Loaded
with the first use of `Context.cancel_signal_to`.
"""

from __future__ import annotations

import os
import signal
from _thread import allocate_lock, start_new_thread
from time import monotonic, sleep

from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

__all__ = ["Tied"]

# How often a child that was asked to end is looked at.
_LOOK_SECONDS = 0.01


class Tied:
    """While this context is open, a cancel of the call ends the target."""

    __slots__ = ("_call", "_called", "_forget", "_grace_seconds", "_target")

    def __init__(self, call: Any, target: Any, grace_seconds: float) -> None:
        if not callable(getattr(target, "terminate", None)) and not callable(target):
            kind = type(target).__name__
            raise TypeError(f"a process or a function is needed, not a {kind}")
        self._call = call
        self._target = target
        self._grace_seconds = grace_seconds
        # Held from the moment a function is called: that happens once.
        self._called = allocate_lock()
        self._forget: Any = None

    def __enter__(self) -> Any:
        self._forget = self._call.add_callback(self._end)
        return self._target

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._forget()
        if not self._call.cancelled:
            return
        # On the callback's thread it may not even have begun; whoever leaves this block can rely on it.
        if _is_of_a_loop(self._target):
            # Its end is known to a loop that must not wait here: another thread sees to it.
            start_new_thread(self._end, ())
        else:
            self._end()
        if kind is None or not (issubclass(kind, Cancelled) or kind.__name__ == "CancelledError"):
            raise Cancelled("the call was cancelled") from exc

    def _end(self) -> None:
        target = self._target
        if not hasattr(target, "terminate"):
            if self._called.acquire(False):
                target()
            return
        _send(target, "terminate", signal.SIGTERM)
        end = monotonic() + self._grace_seconds
        while _is_alive(target):
            if monotonic() >= end:
                _send(target, "kill", signal.SIGKILL)
                break
            sleep(_LOOK_SECONDS)
        _reap(target)


def _is_of_a_loop(target: Any) -> bool:
    return hasattr(target, "returncode") and not hasattr(target, "poll")


def _is_alive(process: Any) -> bool:
    poll = getattr(process, "poll", None)
    if callable(poll):
        return poll() is None
    is_alive = getattr(process, "is_alive", None)
    if callable(is_alive):
        try:
            return bool(is_alive())
        except ValueError:
            # A process of `multiprocessing` that was closed.
            return False
    return getattr(process, "returncode", None) is None


def _send(process: Any, method: str, number: int) -> None:
    """To the process, and to all of its group when it has one of its own."""
    if not _is_alive(process):
        return
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            getattr(process, method)()
    except (OSError, ValueError):
        # It has ended meanwhile.
        pass


def _reap(process: Any) -> None:
    """Leave no zombie; a process of asyncio is its loop's."""
    wait = getattr(process, "wait", None) if hasattr(process, "poll") else getattr(process, "join", None)
    if callable(wait):
        try:
            wait(timeout=1)
        except Exception:
            # It is being killed; the worker's end takes what is left.
            return
