"""Streams of synchronous generators: items out, as far as the credit goes.

Owns: the stepping of a generator. Must not know: how its thread waits for credit.
"""

from __future__ import annotations

from time import monotonic

from hardpoint._worker.limits import OUTPUT_DELAY_SECONDS, QUICK_CALL_SECONDS
from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.calls import Call
    from hardpoint._worker.interrupts import MainFence, ThreadFence
    from hardpoint._worker.values import ValueEncoder
    from hardpoint._worker.worker import Worker

__all__ = ["run_stream"]


def run_stream(
    worker: Worker,
    call: Call,
    encoder: ValueEncoder,
    fence: MainFence | ThreadFence,
    wait_credit: Callable[[Call, int], None],
) -> tuple[Any, int]:
    """Run a generator to its end. Returns its return value and the number of items sent."""
    reading, queue = worker.reading, worker.outbox.queue

    def watched(function: Callable[..., Any], *args: Any) -> Any:
        # Inside the fence: the I/O thread may have gone to sleep since the last item.
        if reading.asleep:
            reading.wake()
        if call.cancelled and function is not close:
            # Looked at inside the fence: an interrupt that came before it reached nothing.
            raise Cancelled("the call was cancelled")
        return function(*args)

    def begin() -> Any:
        return iter(call.tool.function(**call.tool.arguments(call, worker.context)))  # type: ignore[misc]

    close: Any = None
    generator = fence.run(call, watched, begin)
    close = getattr(generator, "close", None)
    sent = 0
    flushed = monotonic()
    try:
        while True:
            if call.cancelled:
                raise Cancelled("the call was cancelled")
            # `credit` only grows and only the reader changes it; `sent` is ours alone.
            if call.credit <= sent:
                worker.outbox.flush()
                wait_credit(call, sent)
                continue
            before = monotonic()
            try:
                item = fence.run(call, watched, next, generator)
            except StopIteration as stop:
                return stop.value, sent
            worker.item(call, sent, encoder.encode(item))
            sent += 1
            now = monotonic()
            slow = now - before > QUICK_CALL_SECONDS
            if slow or now - flushed > OUTPUT_DELAY_SECONDS or len(queue) >= 32:
                worker.outbox.flush()
                flushed = now
    finally:
        if close is not None:
            fence.run(call, watched, close)
