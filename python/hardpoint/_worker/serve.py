"""The main thread's loop for one call at a time: read, run, answer, all on one thread.

Owns: the hot path. Must not know: what messages mean.
"""

from __future__ import annotations

import sys
from time import monotonic

from hardpoint._worker.limits import (
    OUTPUT_DELAY_SECONDS,
    QUICK_CALL_SECONDS,
)
from hardpoint._worker.tools import STREAM, SYNC
from hardpoint._worker.values import ValueEncoder
from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.calls import Call
    from hardpoint._worker.worker import Worker

__all__ = ["Serve"]


class Serve:
    """Runs the calls of a worker whose concurrency is 1."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.encoder = ValueEncoder()
        self._unsent_since = 0.0

    def forever(self) -> None:
        """Serve until the host closes or says shutdown. The caller holds the right to read."""
        worker = self.worker
        waiting, queue = worker.waiting, worker.outbox.queue
        fill, flush = worker.reading.fill, worker.outbox.flush
        modules = sys.modules
        while True:
            if not worker.hears_logging and "logging" in modules:
                worker.hear_logging()
            while waiting:
                call = waiting.popleft()
                if call.tool.kind == SYNC:
                    self._run(call)
                else:
                    self._run_other(call)
            if queue:
                flush()
            fill()

    def _run(self, call: Call) -> None:
        worker, tool = self.worker, call.tool
        fence, reading, queue = worker.fence, worker.reading, worker.outbox.queue
        if queue and not tool.quick:
            worker.outbox.flush()
        if call.job is not None:
            worker.begin_job(call)
        failure: BaseException | None = None
        encoded: Any = None
        started = call.started = monotonic()
        worker.running[call.id] = call
        reading.right.release()
        # Two levels, because an interrupt may be raised up to the moment `current` is None: the
        # first level catches it in the call, the second in the first level's own handler.
        try:
            try:
                fence.current = call
                if reading.asleep:
                    reading.wake()
                value = tool.function(**tool.arguments(call, worker.context))  # type: ignore[misc]
                fence.current = None
                encoded = self.encoder.encode(value)
            except BaseException as error:
                fence.current = None
                failure = error
        except Cancelled as error:
            fence.current = None
            failure = error
        ended = monotonic()
        elapsed = ended - started
        tool.quick = elapsed < QUICK_CALL_SECONDS
        if failure is None:
            try:
                worker.answer(call, encoded, elapsed * 1000)
            except BaseException as error:
                failure = error
        if failure is not None:
            worker.answer_error(call, failure, elapsed * 1000)
            failure = None
        del worker.running[call.id]
        reading.take_back()
        if len(queue) == 1:
            self._unsent_since = ended
        elif ended - self._unsent_since > OUTPUT_DELAY_SECONDS:
            worker.outbox.flush()
            self._unsent_since = ended

    def _run_other(self, call: Call) -> None:
        worker = self.worker
        worker.outbox.flush()
        if call.job is not None:
            worker.begin_job(call)
        call.started = monotonic()
        worker.running[call.id] = call
        worker.reading.right.release()
        try:
            if call.tool.kind == STREAM:
                from hardpoint._worker.streams import run_stream

                value, items = run_stream(worker, call, self.encoder, worker.fence, self._wait_credit)
                encoded = self.encoder.encode(value)
            else:
                encoded, items = self._run_async(call)
            worker.answer(call, encoded, (monotonic() - call.started) * 1000, items)
        except BaseException as error:
            worker.answer_error(call, error, (monotonic() - call.started) * 1000)
        del worker.running[call.id]
        worker.reading.take_back()

    def _wait_credit(self, call: Call, sent: int) -> None:
        """Read the socket ourselves until the host has taken more items."""
        worker = self.worker
        worker.reading.take_back()
        try:
            while call.credit <= sent and not call.cancelled:
                worker.reading.fill()
        finally:
            worker.reading.right.release()

    def _run_async(self, call: Call) -> tuple[Any, int]:
        # The fence's mark makes the I/O thread read meanwhile; an interrupt goes to the loop's fence.
        worker = self.worker
        worker.fence.current = call
        if worker.reading.asleep:
            worker.reading.wake()
        try:
            return worker.loop().run(call)
        finally:
            worker.fence.current = None
