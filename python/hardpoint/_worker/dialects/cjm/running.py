"""Plugin code as part of a call: its state before, its cancel during, its usage after.

Owns: the frame around every call and stream. Must not know: which methods there are.
"""

from __future__ import annotations

from hardpoint._worker.dialects.cjm.errors import is_cancelled
from hardpoint._worker.dialects.seam import said
from hardpoint._worker.failures import safe_str
from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._context import Context
    from hardpoint._worker.calls import Call
    from hardpoint._worker.dialects.cjm.state import CallState, States
    from hardpoint._worker.worker import Worker

__all__ = ["Running"]


class Running:
    """Runs the methods of one plugin object."""

    def __init__(self, states: States, worker: Worker, made: Any) -> None:
        self._states = states
        self._worker = worker
        self._object = made

    def outside(self, call: Call, function: Callable[..., Any], *args: Any) -> Any:
        """Run a hook: what it sets and registers belongs to the object."""
        return self._settled(call, function(*args))

    def call(
        self, call: Call, ctx: Context, function: Callable[..., Any], args: Any = (), named: Any = None
    ) -> Any:
        """Run a method as a call."""
        state = self._begin(call, ctx)
        current = self._states.current
        token = current.set(state)
        try:
            value = function(*args, **named) if named else function(*args)
            if type(value) is not dict and hasattr(value, "__await__"):
                value = self._settled(call, value)
        except Exception as error:
            raise _told(call, error) from error
        finally:
            current.reset(token)
            if state.values.get("_last_api_usage"):
                self._account(state)
        if state.told is not None:
            _complete(state)
        return value if type(value) is dict else _sendable(value)

    def stream(
        self, call: Call, ctx: Context, function: Callable[..., Any], args: Any, named: Any
    ) -> _Stream:
        """Run a generator as a call, step by step."""
        state = self._begin(call, ctx)
        return _Stream(self, state, lambda: iter(function(*args, **named)))

    def _begin(self, call: Call, ctx: Context) -> CallState:
        state = self._states.begin(call, ctx)
        call.set_callback(lambda: self._states.inside(state, self._cancel, state))
        return state

    def _settled(self, call: Call, value: Any) -> Any:
        return self._worker.loop().finish(call, value) if hasattr(value, "__await__") else value

    def _cancel(self, state: CallState) -> None:
        """Runs on a thread of its own, as part of the call that is to stop."""
        cancel = getattr(self._object, "cancel", None)
        if not callable(cancel):
            return
        try:
            cancel()
        except BaseException as error:
            state.ctx.warning(f"cancel() raised {said(error)}")

    def step(self, state: CallState, function: Callable[..., Any], *args: Any) -> Any:
        """One step of a stream."""
        try:
            return self._states.inside(state, function, *args)
        except StopIteration:
            _complete(state)
            self._account(state)
            raise
        except Exception as error:
            self._account(state)
            raise _told(state.call, error) from error

    def _account(self, state: CallState) -> None:
        usage, state.values["_last_api_usage"] = state.values.get("_last_api_usage"), None
        if not usage:
            return
        try:
            state.ctx.usage(**{str(unit): amount for unit, amount in usage.items()})
        except (TypeError, ValueError, AttributeError) as error:
            state.ctx.warning(f"what the call used cannot be told: {said(error)}")


class _Stream:
    """The items of `execute_stream`, each made as part of its call."""

    def __init__(self, running: Running, state: CallState, begin: Callable[[], Any]) -> None:
        self._running = running
        self._state = state
        self._items = running.step(state, begin)

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        return _sendable(self._running.step(self._state, next, self._items))

    def close(self) -> None:
        """The reader has left, or the items have ended."""
        close = getattr(self._items, "close", None)
        if close is not None:
            self._running.step(self._state, close)
        self._running._account(self._state)


def _told(call: Call, error: Exception) -> BaseException:
    """Whatever a call does that was cancelled, it ended because of that."""
    if not call.cancelled:
        return error
    if is_cancelled(error):
        return Cancelled(safe_str(error))
    return Cancelled(f"the call was cancelled and ended in {type(error).__name__}")


def _complete(state: CallState) -> None:
    if state.told is not None and not state.call.cancelled:
        state.tell_progress(1.0, state.told[1])


def _sendable(value: Any) -> Any:
    """A result that saves itself to a file, and is nothing JSON knows, is sent as the file's path."""
    save = getattr(value, "to_temp_file", None)
    if callable(save) and not isinstance(value, type) and not hasattr(type(value), "__dataclass_fields__"):
        return save()
    return value
