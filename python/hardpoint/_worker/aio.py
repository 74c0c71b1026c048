"""The event loop: one, on a thread of its own, for as long as the worker lives.

Owns: async tools, hooks and generators as tasks. Must not know: who waits for them. Loaded with the first.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from _thread import allocate_lock, get_ident

from hardpoint._worker.interrupts import ThreadFence
from hardpoint._worker.tools import ASYNC_STREAM
from hardpoint._worker.values import ValueEncoder
from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.calls import Call
    from hardpoint._worker.values import Encoded
    from hardpoint._worker.worker import Worker

    Done = Callable[[Call, Encoded | None, int, BaseException | None], None]

__all__ = ["Loop"]


class _Steps:
    """A coroutine whose every step runs inside the fence, as part of its call."""

    def __init__(self, fence: ThreadFence, call: Call, inner: Any) -> None:
        self._fence = fence
        self._call = call
        self._inner = inner
        self.failure: BaseException | None = None

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self

    def _step(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return self._fence.run(self._call, function, *args)
        except (StopIteration, asyncio.CancelledError):
            raise
        except BaseException as error:
            # Raised into the task, a SystemExit would end the loop.
            self.failure = error
        raise StopIteration(None)


class _Gate:
    """What the reader opens when credit comes: wakes a coroutine on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.event = asyncio.Event()

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self.event.set)


class Loop:
    """The event loop thread."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._encoder = ValueEncoder()
        self._loop = asyncio.new_event_loop()
        self._fence: Any = None
        # Tasks that a call starts take it over, and so do threads that work for a task.
        self._call: contextvars.ContextVar[Call] = contextvars.ContextVar("call")
        worker.call_of_task = self._call
        started = allocate_lock()
        started.acquire()
        threading.Thread(target=self._forever, args=(started,), name="hardpoint-loop", daemon=True).start()
        started.acquire()

    def run(self, call: Call, work: Any = None) -> tuple[Any, int]:
        """Run an async call while this thread waits; its encoded value and its item count.

        With `work`, a coroutine that returns the two, that is run as the call.
        """
        gate = allocate_lock()
        gate.acquire()
        outcome: list[Any] = []

        def done(_call: Call, value: Encoded | None, items: int, failure: BaseException | None) -> None:
            outcome.extend((value, items, failure))
            gate.release()

        self.submit(call, done, work)
        gate.acquire()
        value, items, failure = outcome
        if failure is not None:
            raise failure
        return value, items

    def finish(self, call: Call, awaitable: Any) -> Any:
        """Await, as part of `call`, what its synchronous code has returned, while this thread waits."""

        async def work() -> tuple[Any, int]:
            return await awaitable, 0

        fence = call.fence
        try:
            return self.run(call, work())[0]
        finally:
            call.fence = fence

    def submit(self, call: Call, done: Done, work: Any = None) -> None:
        """Run an async call; `done` is called on the loop's thread."""
        call.fence = self._fence
        self._loop.call_soon_threadsafe(self._begin, call, done, work)

    def _forever(self, started: Any) -> None:
        asyncio.set_event_loop(self._loop)
        self._fence = ThreadFence()
        self._worker.fences[get_ident()] = self._fence
        started.release()
        while True:
            try:
                self._loop.run_forever()
            except BaseException:
                # A callback of the plugin raised SystemExit or the like: the loop goes on.
                import traceback

                traceback.print_exc()

    def _begin(self, call: Call, done: Done, work: Any) -> None:
        drive = self._stream if call.tool.kind == ASYNC_STREAM else self._value
        steps = _Steps(self._fence, call, drive(call) if work is None else work)
        own = self._call.set(call)
        task: asyncio.Task[Any] = self._loop.create_task(steps)
        self._call.reset(own)
        loop = self._loop
        call.cancel_task = lambda: loop.call_soon_threadsafe(task.cancel)
        if call.cancelled:
            task.cancel()

        def finished(task: asyncio.Task[Any]) -> None:
            call.cancel_task = None
            failure: BaseException | None = steps.failure
            value: tuple[Any, int] = (None, 0)
            if failure is None:
                try:
                    value = task.result()
                except asyncio.CancelledError as error:
                    failure = Cancelled("the call was cancelled") if call.cancelled else error
                except BaseException as error:
                    failure = error
            done(call, value[0], value[1], failure)

        task.add_done_callback(finished)

    async def _value(self, call: Call) -> tuple[Encoded, int]:
        tool = call.tool
        value = await tool.function(**tool.arguments(call, self._worker.context))  # type: ignore[misc]
        return self._encoder.encode(value), 0

    async def _stream(self, call: Call) -> tuple[Encoded, int]:
        worker, tool = self._worker, call.tool
        gate = call.credit_gate = _Gate(self._loop)
        sent = 0
        generator = tool.function(**tool.arguments(call, worker.context))  # type: ignore[misc]
        try:
            while True:
                while call.credit <= sent:
                    gate.event.clear()
                    if call.credit <= sent:
                        await gate.event.wait()
                try:
                    item = await generator.__anext__()
                except StopAsyncIteration:
                    return self._encoder.encode(None), sent
                worker.item(call, sent, self._encoder.encode(item))
                worker.reading.kick()
                sent += 1
        finally:
            await generator.aclose()
