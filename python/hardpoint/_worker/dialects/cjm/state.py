"""What a plugin keeps in attributes of its object while it works, kept for each call apart.

Owns: which call the running code works for, and the attributes that belong to it. Must not know: requests.

The contract gives a plugin one flag, one progress and one list of callbacks for all its calls. Data
descriptors on the loaded class turn each of them into one for each call, without a change to its code:

    the code of a call, and threads it started     that call's own
    the only call that runs                        also for threads nobody can place
    no call at all (constructor, `initialize`)     the object's; each call begins with a copy
"""

from __future__ import annotations

import threading
from _contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._context import Context
    from hardpoint._worker.calls import Call

__all__ = ["CallState", "States"]

# The attributes that the contract names. Each call begins with these two as they are here ...
_FRESH = {"_cancel_requested": False, "_last_api_usage": None}
# ... and with these as they were set outside of calls.
_FROM_OBJECT = ("_progress", "_status_message")
_CALLBACKS = "_cancel_callbacks"
# What later releases repeat in a message while a call goes on.
_BASE = "_status_message_base"
_STARTED_FOR = "_hardpoint_started_for"


class CallState:
    """What belongs to one call."""

    __slots__ = ("call", "ctx", "reporting", "told", "values", "warned")

    def __init__(self, call: Call, ctx: Context, callbacks: list[Callable[[], Any]] | None) -> None:
        self.call = call
        self.ctx = ctx
        self.values: dict[str, Any] = dict(_FRESH)
        if callbacks is not None:
            self.values[_CALLBACKS] = list(callbacks)
        self.told: tuple[float | None, str] | None = None
        self.reporting = False
        self.warned = False

    def tell_progress(self, progress: Any, message: Any) -> None:
        """Pass progress on, unless it was passed on already."""
        fraction: float | None = None
        if isinstance(progress, (int, float)) and not isinstance(progress, bool) and progress == progress:
            fraction = None if progress == -1.0 else min(1.0, max(0.0, float(progress)))
        if progress != -1.0 and fraction != progress and not self.warned:
            self.warned = True
            self.ctx.warning(f"progress {progress!r} is neither -1.0 nor within 0 and 1")
        text = message if isinstance(message, str) else str(message)
        if self.told != (fraction, text):
            self.told = (fraction, text)
            self.ctx.progress(fraction, text)


class States:
    """The calls of one plugin object that run."""

    def __init__(self, calls: dict[int, Call]) -> None:
        # Those that have no answer yet, as the worker knows them: nothing here has to be told of an end,
        # which an interrupt could prevent.
        self._calls = calls
        # The one that the running code works for, as far as contexts tell.
        self.current: ContextVar[CallState | None] = ContextVar("cjm_call", default=None)
        self._begun: list[CallState] = []
        # What is set outside of calls.
        self.object_values: dict[str, Any] = {}

    def begin(self, call: Call, ctx: Context) -> CallState:
        """A call begins."""
        state = CallState(call, ctx, self.object_values.get(_CALLBACKS))
        # Mostly it is the only one that there is.
        self._begun = [state] if len(self._calls) == 1 else [*self._running(), state]
        return state

    def _running(self) -> list[CallState]:
        return [state for state in self._begun if self._runs(state)]

    def _runs(self, state: CallState) -> bool:
        return self._calls.get(state.call.id) is state.call

    def inside(self, state: CallState, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Run plugin code as part of a call."""
        token = self.current.set(state)
        try:
            return function(*args, **named)
        finally:
            self.current.reset(token)

    def here(self) -> CallState | None:
        """The call that the running code works for."""
        state = self.current.get()
        if state is None:
            state = getattr(threading.current_thread(), _STARTED_FOR, None)
        if state is not None and self._runs(state):
            return state
        running = self._running()
        return running[0] if len(running) == 1 else None

    def follow_threads(self) -> None:
        """From now on a new thread works for the call whose code has started it."""
        start = threading.Thread.start

        def started(thread: threading.Thread) -> None:
            setattr(thread, _STARTED_FOR, self.here())
            start(thread)

        threading.Thread.start = started  # type: ignore[method-assign,assignment]

    def take_over(self, cls: Any) -> None:
        """Put the attributes of calls onto the class."""
        for name in (*_FRESH, *_FROM_OBJECT, _BASE, _CALLBACKS):
            setattr(cls, name, _OfCall(self, name, getattr(cls, name, _ABSENT)))
        report = getattr(cls, "report_progress", None)
        if callable(report):
            cls.report_progress = _reported_once(self, report)


_ABSENT: Any = object()


class _OfCall:
    """One attribute, for each call apart."""

    def __init__(self, states: States, name: str, default: Any) -> None:
        self._states = states
        self._name = name
        self._default = default

    def __get__(self, owner: Any, cls: type) -> Any:
        if owner is None and self._default is not _ABSENT:
            return self._default
        states = self._states
        state = None if owner is None else states.here()
        found = _ABSENT
        if state is not None:
            if self._name == "_cancel_requested" and state.call.cancelled:
                return True
            found = state.values.get(self._name, _ABSENT)
        if found is _ABSENT:
            found = states.object_values.get(self._name, self._default)
        if found is _ABSENT:
            raise AttributeError(f"{cls.__name__!r} object has no attribute {self._name!r}")
        return found

    def __set__(self, _owner: Any, value: Any) -> None:
        state = self._states.here()
        if state is None:
            self._states.object_values[self._name] = value
            return
        state.values[self._name] = value
        if self._name in _FROM_OBJECT and not state.reporting:
            _tell(self._states, state)

    def __delete__(self, owner: Any) -> None:
        state = self._states.here()
        values = self._states.object_values if state is None else state.values
        if self._name not in values:
            raise AttributeError(self._name)
        del values[self._name]


def _tell(states: States, state: CallState) -> None:
    outside = states.object_values
    progress = state.values.get("_progress", outside.get("_progress", 0.0))
    state.tell_progress(progress, state.values.get("_status_message", outside.get("_status_message", "")))


def _reported_once(states: States, report: Any) -> Any:
    """`report_progress` sets two attributes; the host hears of both at once."""

    def report_progress(self: Any, *args: Any, **named: Any) -> Any:
        state = states.here()
        if state is None or state.reporting:
            return report(self, *args, **named)
        state.reporting = True
        try:
            answer = report(self, *args, **named)
        finally:
            state.reporting = False
        if "_progress" in state.values:
            _tell(states, state)
        return answer

    return report_progress
