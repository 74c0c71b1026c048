"""More than one call at a time: threads for sync tools, the loop for async ones, main for hooks.

Owns: the limit on running calls and the order of waiting ones. Must not know: messages.
Loaded when the host asks for a concurrency above 1.
"""

from __future__ import annotations

import sys
import threading
from _queue import SimpleQueue
from _thread import allocate_lock, get_ident
from time import monotonic

from hardpoint._worker.interrupts import ThreadFence
from hardpoint._worker.streams import run_stream
from hardpoint._worker.tools import ASYNC, ASYNC_STREAM, STREAM
from hardpoint._worker.values import ValueEncoder
from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.calls import Call
    from hardpoint._worker.interrupts import MainFence
    from hardpoint._worker.values import Encoded
    from hardpoint._worker.worker import Worker

__all__ = ["Pool"]


class Pool:
    """Runs the calls of a worker whose concurrency is above 1."""

    def __init__(self, worker: Worker, concurrency: int) -> None:
        self._worker = worker
        self._concurrency = concurrency
        self._started = 0
        self._alone = False
        self._threads = 0
        self._for_threads: SimpleQueue[Call] = SimpleQueue()
        self._for_main: SimpleQueue[Call] = SimpleQueue()
        worker.lock = allocate_lock()
        worker.pump = self._pump

    def forever(self) -> None:
        """The main thread's part: hooks, one after the other."""
        encoder = ValueEncoder()
        while True:
            self._run(self._for_main.get(), encoder, self._worker.fence)

    def _pump(self) -> None:
        """Start waiting calls up to the limit. Any thread."""
        worker = self._worker
        if not worker.hears_logging and "logging" in sys.modules:
            worker.hear_logging()
        while True:
            with worker.lock:
                if self._started >= self._concurrency or not worker.waiting or self._alone:
                    return
                self._alone = worker.waiting[0].tool.alone
                if self._alone and self._started:
                    # It begins when the last of those before it has ended; those behind it wait.
                    self._alone = False
                    return
                call = worker.waiting.popleft()
                call.started = monotonic()
                self._started += 1
                worker.running[call.id] = call
                if call.job is not None:
                    call.threads_before = frozenset(threading.enumerate())
                self._mark()
            self._start(call)

    def _mark(self) -> None:
        """Output can be told to be a job's while its call runs alone. Only with the worker's lock."""
        running = self._worker.running
        if len(running) == 1:
            (call,) = running.values()
            self._worker.mark(None if call.job is None else call)
        else:
            self._worker.mark(None)

    def _start(self, call: Call) -> None:
        if call.tool.kind in (ASYNC, ASYNC_STREAM):
            self._worker.loop().submit(call, self._async_done)
        elif call.tool.is_hook:
            self._for_main.put(call)
        else:
            with self._worker.lock:
                spawn = self._threads < min(self._started, self._concurrency)
                self._threads += spawn
            if spawn:
                name = f"hardpoint-call-{self._threads}"
                threading.Thread(target=self._thread, name=name, daemon=True).start()
            self._for_threads.put(call)

    def _thread(self) -> None:
        from hardpoint._worker.worker import die

        try:
            fence = ThreadFence()
            self._worker.fences[get_ident()] = fence
            encoder = ValueEncoder()
            while True:
                self._run(self._for_threads.get(), encoder, fence)
        except BaseException as error:
            die(error)

    def _run(self, call: Call, encoder: ValueEncoder, fence: MainFence | ThreadFence) -> None:
        worker, tool = self._worker, call.tool
        call.fence = fence
        items = 0
        try:
            if tool.kind == STREAM:
                gate = call.credit_gate = allocate_lock()
                gate.acquire()
                value, items = run_stream(worker, call, encoder, fence, _wait_credit)
            else:
                value = fence.run(call, self._call_tool, call)
            encoded = encoder.encode(value)
            worker.answer(call, encoded, (monotonic() - call.started) * 1000, items)
        except BaseException as error:
            worker.answer_error(call, error, (monotonic() - call.started) * 1000)
        self._finished(call)

    def _call_tool(self, call: Call) -> Any:
        # Looked at inside the fence: a cancel that came before it could interrupt nothing yet.
        if call.cancelled:
            raise Cancelled("the call was cancelled before it began")
        return call.tool.function(**call.tool.arguments(call, self._worker.context))  # type: ignore[misc]

    def _async_done(
        self, call: Call, value: Encoded | None, items: int, failure: BaseException | None
    ) -> None:
        worker = self._worker
        elapsed_ms = (monotonic() - call.started) * 1000
        if failure is None and value is not None:
            try:
                worker.answer(call, value, elapsed_ms, items)
            except BaseException as error:
                failure = error
        if failure is not None:
            worker.answer_error(call, failure, elapsed_ms)
        self._finished(call)

    def _finished(self, call: Call) -> None:
        with self._worker.lock:
            self._started -= 1
            if call.tool.alone:
                self._alone = False
            self._worker.running.pop(call.id, None)
            self._mark()
        self._worker.outbox.flush()
        self._pump()


def _wait_credit(call: Call, sent: int) -> None:
    while call.credit <= sent and not call.cancelled:
        call.credit_gate.acquire()
