"""Interrupts: `Cancelled`, raised inside running plugin code, and never inside anything else.

Owns: the fences around plugin code. Must not know: why a call is cancelled.

The main thread is reached by a signal, because only a signal ends a `time.sleep` or a blocking system
call. The handler raises only while the very call that was meant is between its fence's two marks.
Other threads are reached by CPython's asynchronous exceptions, which need the interpreter's help to
forget one that came too late: `ThreadFence.leave`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
from _thread import allocate_lock, get_ident

from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.calls import Call

__all__ = ["MainFence", "ThreadFence"]


def _first_step(call: Call) -> None:
    """Raise the interrupt that came before the call did. Later steps are reached while they run."""
    if not call.entered:
        call.entered = True
        if call.interrupt_wanted:
            raise Cancelled("the call was interrupted")


class MainFence:
    """Around plugin code on the main thread: `current` is the call inside, or None."""

    __slots__ = ("_ident", "_target", "current")

    def __init__(self) -> None:
        self.current: Call | None = None
        self._target: Call | None = None
        self._ident = get_ident()

    def install(self) -> None:
        """Take over SIGINT. One that nobody here sent (a terminal's) does nothing."""
        _signal.signal(_signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        target = self._target
        if target is not None:
            self._target = None
            if self.current is target:
                raise Cancelled("the call was interrupted")

    def interrupt(self, call: Call) -> None:
        """Raise `Cancelled` in `call` if it is still inside, or as soon as it comes in."""
        # Wanted first, looked at second; `run` does it the other way round, so that one of them sees it.
        call.interrupt_wanted = True
        if self.current is call:
            self._target = call
            _signal.pthread_kill(self._ident, _signal.SIGINT)

    def run(self, call: Call, function: Callable[..., Any], *args: Any) -> Any:
        """Run plugin code as part of `call`."""
        # The handler fires at most once per call and gap, so it can hit one of these two levels only.
        try:
            try:
                self.current = call
                _first_step(call)
                result = function(*args)
                self.current = None
                return result
            except BaseException:
                self.current = None
                raise
        except Cancelled:
            self.current = None
            raise


class ThreadFence:
    """Around plugin code on one other thread."""

    __slots__ = ("_ident", "_lock", "_pending", "call")

    def __init__(self) -> None:
        self._ident = get_ident()
        self._lock = allocate_lock()
        self._pending = False
        self.call: Call | None = None

    def interrupt(self, call: Call) -> None:
        """Raise `Cancelled` in `call` if it is inside right now, or as soon as it first comes in."""
        import ctypes

        call.interrupt_wanted = True

        # The lock makes "still inside" and "raise" one step: `leave` cannot pass between them.
        with self._lock:
            if self.call is call:
                self._pending = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._ident), ctypes.py_object(Cancelled)
                )

    def run(self, call: Call, function: Callable[..., Any], *args: Any) -> Any:
        """Run plugin code as part of `call`."""
        try:
            try:
                self.call = call
                _first_step(call)
                return function(*args)
            finally:
                self.leave()
        except Cancelled:
            # It may have been raised inside `leave`, before that was done.
            self.leave()
            raise

    def leave(self) -> None:
        """From here on no interrupt is raised, and one that is on its way is taken back."""
        with self._lock:
            self.call = None
            pending, self._pending = self._pending, False
        if pending:
            import ctypes

            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._ident), None)
