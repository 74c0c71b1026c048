"""Calls: what the worker remembers of a request from its receipt to its answer.

Owns: the state of one call and its cancel callbacks. Must not know: sockets, threads, scheduling.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.blobs import Blob
    from hardpoint._worker.tools import Tool

__all__ = ["Call"]


class Call:
    """One request that runs plugin code. What most calls never touch are defaults of the class."""

    cancelled = False
    # What the `interrupt` phase has to reach: a fence of another thread, None for the main thread.
    fence: Any = None
    interrupted_at = 0.0
    # An interrupt may come before the call's first step inside a fence; that step then raises.
    interrupt_wanted = False
    entered = False
    started = 0.0
    received = 0.0
    blobs: list[Blob] | None = None
    escaped = False
    timeout_ms: int | None = None
    job: dict[str, Any] | None = None
    credit = 0
    # Released when credit or a cancel arrives, for streams that wait outside the main thread.
    credit_gate: Any = None
    callbacks: dict[int, Callable[[], Any]] | None = None
    # The asyncio task, and how to reach it from another thread.
    cancel_task: Callable[[], Any] | None = None
    # The threads there were when a call of a job began: what they say is not the call's.
    threads_before: frozenset[Any] = frozenset()
    progress_sent_at = -1.0
    progress_late: bytes | None = None

    def __init__(self, id: int, tool: Tool, args: dict[str, Any]) -> None:
        self.id = id
        self.tool = tool
        self.args = args

    def add_callback(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Run `callback` on cancel; returns how to take it back."""
        # Callbacks run on a thread of their own. Were this the first thread to import `threading`,
        # Python would take it for the main thread.
        import threading  # noqa: F401

        if self.callbacks is None:
            self.callbacks = {}
        callbacks = self.callbacks
        key = id(callback), len(callbacks), object()
        callbacks[hash(key)] = callback
        if self.cancelled:
            self.run_callbacks()
        return lambda: callbacks.pop(hash(key), None) and None

    def set_callback(self, callback: Callable[[], Any]) -> None:
        """As `add_callback`, where there is none yet and `threading` is imported; no way back."""
        self.callbacks = {0: callback}
        if self.cancelled:
            self.run_callbacks()

    def run_callbacks(self) -> None:
        """Start every callback once, on one new thread."""
        callbacks = self.callbacks
        if not callbacks:
            return
        taken = []
        while callbacks:
            try:
                taken.append(callbacks.pop(next(iter(callbacks))))
            except (KeyError, RuntimeError, StopIteration):
                continue
        from _thread import start_new_thread

        start_new_thread(_run_all, (taken,))


def _run_all(callbacks: list[Callable[[], Any]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except BaseException:
            # The call itself reports what happens; a callback has nobody to report to but stderr.
            import traceback

            traceback.print_exc()
