"""The worker's state: requests that came, their cancels, their answers, and what they say meanwhile.

Owns: what each message does. Must not know: which thread runs plugin code (`_run*.py` know).
"""

from __future__ import annotations

import os
import sys
from _collections import deque  # type: ignore[import-not-found,unused-ignore]
from _thread import get_ident
from time import monotonic

from hardpoint._context import Context
from hardpoint._worker import limits
from hardpoint._worker.calls import Call
from hardpoint._worker.frames import Message, Violation, pack
from hardpoint._worker.interrupts import MainFence
from hardpoint._worker.outbox import Outbox
from hardpoint._worker.port import Port
from hardpoint._worker.reading import Reading
from hardpoint._worker.values import Encoded, decode, dumps
from hardpoint.errors import Cancelled, ResultNotSerializable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Any, Callable

    from hardpoint._worker.aio import Loop
    from hardpoint._worker.dialects.seam import Loaded
    from hardpoint._worker.interrupts import ThreadFence
    from hardpoint._worker.marks import Marks

    # A descriptor, and which device and file it is.
    Pipe = tuple[int, tuple[int, int]]

__all__ = ["Worker"]


class Worker:
    """One plugin, one connection."""

    def __init__(self, socket: _socket.socket) -> None:
        self.outbox = Outbox(socket)
        self.fence = MainFence()
        self.reading = Reading(socket, self.outbox, self.fence, self.handle, die)
        self.calls: dict[int, Call] = {}
        self.waiting: deque[Call] = deque()
        self.running: dict[int, Call] = {}
        self.hello: dict[str, Any] | None = None
        self.plugin: Loaded | None = None
        self.loading = False
        self.main_ident = get_ident()
        self.fences: dict[int, ThreadFence] = {}
        self.port = Port(self)
        self.reading.late = self.port.send_due
        # With more than one call at a time: what starts the next waiting call.
        self.pump: Callable[[], None] | None = None
        self.lock: Any = None
        # What stdout and stderr were when the process began, for the marks of jobs.
        self.pipes: list[Pipe] = []
        self.marks: Marks | None = None
        # The event loop, and which call a task on it works for, once something async has come.
        self._loop: Loop | None = None
        self.call_of_task: Any = None
        self.hears_logging = False

    # What the host says.

    def handle(self, message: Message) -> None:
        """Do what a message asks. Runs on the thread that reads."""
        header = message.header
        try:
            kind = header["type"]
            if kind == "call":
                self._on_call(header, message)
            elif type(kind) is not str:
                raise Violation("a message whose `type` is not a string")
            elif kind in _REQUESTS:
                self._on_request(kind, header, message)
            elif kind in _ACTIONS:
                _ACTIONS[kind](self, header)
            else:
                self._on_unknown(kind, header)
        except KeyError as error:
            raise Violation(f"a `{header.get('type')}` without {error}") from None

    def _on_call(self, header: dict[str, Any], message: Message) -> None:
        call_id, name, args = header["id"], header["tool"], header["args"]
        if type(call_id) is not int or type(args) is not dict or type(name) is not str:
            raise Violation("a `call` with a field of the wrong type")
        plugin = self.plugin
        tool = None if plugin is None else plugin.tools.get(name)
        if tool is None:
            self._refuse_call(call_id, name)
            return
        call = Call(call_id, tool, args)
        call.received = monotonic()
        timeout_ms = header["timeout_ms"]
        if timeout_ms is not None:
            if type(timeout_ms) is not int:
                raise Violation("a `call` whose `timeout_ms` is not a number")
            call.timeout_ms = timeout_ms
        job = header["job"]
        if job is not None:
            call.job = job
        credit = header["credit"]
        if type(credit) is not int:
            raise Violation("a `call` whose `credit` is not a number")
        call.credit = credit
        if message.blobs is not None:
            call.blobs = message.blobs
        if message.escaped:
            call.escaped = True
        self._admit(call)

    def _refuse_call(self, call_id: int, name: str) -> None:
        if self.plugin is None:
            self.refuse(call_id, "NotReady", "the plugin is not loaded yet", "fatal")
        else:
            listed = ", ".join(self.plugin.tools) or "none"
            text = f"there is no tool `{name}`; there are: {listed}"
            self.refuse(call_id, "ToolNotFound", text, "user_input")

    def _on_request(self, kind: str, header: dict[str, Any], message: Message) -> None:
        call_id = header["id"]
        args = {name: header[name] for name in _REQUESTS[kind]}
        if message.escaped:
            args = {name: decode(value, _no_blob) for name, value in args.items()}
        if header.get("lenient") is True and kind in _LENIENT:
            args["lenient"] = True
        if type(call_id) is not int:
            raise Violation(f"a `{kind}` with an id that is not a number")
        if self.plugin is None:
            self.refuse(call_id, "NotReady", "the plugin is not loaded yet", "fatal")
            return
        self._admit(Call(call_id, self.plugin.hooks[kind], args))

    def _admit(self, call: Call) -> None:
        if call.id in self.calls:
            raise Violation(f"id {call.id} is used twice")
        if len(self.calls) >= limits.CALLS_IN_FLIGHT_MAX:
            text = f"{limits.CALLS_IN_FLIGHT_MAX} calls are in flight already"
            self.refuse(call.id, "TooManyCalls", text, "transient")
            return
        self.calls[call.id] = call
        if self.pump is None:
            self.waiting.append(call)
        else:
            with self.lock:
                self.waiting.append(call)
            self.pump()

    def _on_hello(self, header: dict[str, Any]) -> None:
        if self.hello is not None:
            raise Violation("a second `hello`")
        self.hello = header

    def _on_cancel(self, header: dict[str, Any]) -> None:
        call_id, phase = header["id"], header["phase"]
        if type(call_id) is not int or phase not in ("cooperative", "interrupt"):
            raise Violation("a `cancel` with a field of the wrong type")
        call = self.calls.get(call_id)
        if call is None:
            # Its answer and the cancel crossed.
            return
        self.cancel(call, phase == "interrupt")

    def cancel(self, call: Call, interrupt: bool) -> None:
        """Cancel a call that has no answer yet."""
        first = not call.cancelled
        call.cancelled = True
        if self._drop_waiting(call):
            self.answer_error(call, Cancelled("the call was cancelled before it began"), 0.0)
            self.outbox.flush()
            if self.pump is not None:
                # It may have been what held up those behind it.
                self.pump()
            return
        if first:
            call.run_callbacks()
        if call.credit_gate is not None:
            _open(call.credit_gate)
        if call.cancel_task is not None:
            call.cancel_task()
        if interrupt:
            now = monotonic()
            if now - call.interrupted_at >= limits.INTERRUPT_GAP_SECONDS:
                call.interrupted_at = now
                (call.fence or self.fence).interrupt(call)

    def _drop_waiting(self, call: Call) -> bool:
        if self.lock is None:
            try:
                self.waiting.remove(call)
            except ValueError:
                return False
            return True
        with self.lock:
            try:
                self.waiting.remove(call)
            except ValueError:
                return False
        return True

    def _on_credit(self, header: dict[str, Any]) -> None:
        call_id, items = header["id"], header["items"]
        if type(call_id) is not int or type(items) is not int or items < 0:
            raise Violation("a `credit` with a field of the wrong type")
        call = self.calls.get(call_id)
        if call is not None:
            call.credit += items
            if call.credit_gate is not None:
                _open(call.credit_gate)

    def _on_ping(self, header: dict[str, Any]) -> None:
        ping_id = header["id"]
        if type(ping_id) is not int:
            raise Violation("a `ping` with an id that is not a number")
        since = [call.started for call in list(self.running.values())]
        busy_ms = (monotonic() - min(since)) * 1000 if since else None
        pong = {
            "type": "pong",
            "id": ping_id,
            "main_thread_busy_ms": busy_ms,
            "calls_running": len(since),
            "calls_waiting": len(self.waiting),
        }
        self.outbox.queue.append(pack(dumps(pong)))
        self.outbox.flush()

    def _on_shutdown(self, _header: dict[str, Any]) -> None:
        self.outbox.flush()
        leave(0)

    def _on_unknown(self, kind: str, header: dict[str, Any]) -> None:
        given = header.get("id")
        text = f"this worker does not know the message `{kind[:100]}`"
        self.refuse(given if type(given) is int else 0, "UnknownMessage", text, "fatal")
        self.outbox.flush()

    # What is loaded when the plugin first needs it.

    def loop(self) -> Loop:
        """The event loop of everything async."""
        if self._loop is None:
            from hardpoint._worker.aio import Loop

            self._loop = Loop(self)
        return self._loop

    def hear_logging(self) -> None:
        """The plugin has imported `logging`: send its records to the host."""
        from hardpoint._worker.logs import install

        self.hears_logging = True
        install(self)

    # Calls of jobs: whose the output is.

    def begin_job(self, call: Call) -> None:
        """What is written from here on belongs to a call of a job, which is about to run alone."""
        call.threads_before = _threads()
        self.mark(call)

    def mark(self, call: Call | None) -> None:
        """The call that runs alone and belongs to a job, if there is one."""
        if self.marks is None:
            if call is None:
                return
            from hardpoint._worker.marks import Marks

            self.marks = Marks(self.pipes)
        self.marks.begin(0 if call is None else call.id)

    def _end_job(self, call: Call) -> None:
        # Before the answer is queued: what the call wrote is in the pipes when the host hears of its end.
        if self.marks is not None:
            self.marks.end(call.id)

    # What the worker answers.

    def refuse(self, call_id: int, error_type: str, text: str, category: str) -> None:
        """An error for a request that never ran."""
        error = self._told(RuntimeError(text))
        error.update(error_type=error_type, category=category, retriable=category != "fatal")
        error.update(original_exc_repr=None, traceback=None)
        header = {"type": "error", "id": call_id, "error": error, "execution_time_ms": 0.0}
        self.outbox.queue.append(pack(dumps(header)))
        self.reading.kick()

    def _told(self, exc: BaseException, **how: Any) -> dict[str, Any]:
        """The typed error of an exception; with no descriptor left to load a module with, what is known."""
        try:
            from hardpoint._worker.failures import job_error
        except (OSError, ImportError) as trouble:
            kind, name = type.__getattribute__(type(exc), "__name__"), type(trouble).__name__
            text = f"{kind}; nothing more of it can be told: {trouble}"
            return {"category": "resource", "error_type": name, "message": text, "retriable": True}
        return job_error(exc, *self.identity(), **how)

    def answer_error(self, call: Call, exc: BaseException, elapsed_ms: float) -> None:
        """Queue the typed error of a call."""
        if call.progress_late is not None:
            self.port.send_late(call)
        explain = None if self.plugin is None else self.plugin.explain
        error = self._told(exc, cancelled=call.cancelled, explain=explain)
        header = {"type": "error", "id": call.id, "error": error, "execution_time_ms": elapsed_ms}
        self.calls.pop(call.id, None)
        close_blobs(call)
        if call.job is not None:
            self._end_job(call)
        self.outbox.queue.append(pack(dumps(header)))

    def answer(self, call: Call, value: Encoded, elapsed_ms: float, items: int = 0) -> None:
        """Queue the result of a call; `ResultNotSerializable` when it cannot be sent."""
        if value.non_finite:
            text = f"{value.non_finite} non-finite numbers (NaN, Infinity) in the result became null"
            self.port.log(call.id, "warning", "hardpoint", text)
        if call.progress_late is not None:
            self.port.send_late(call)
        header = b'{"type":"result","id":%d,"execution_time_ms":%.3f,"items":%d,"result":%b}' % (
            call.id,
            elapsed_ms,
            items,
            value.json,
        )
        frame = framed(header, value.blobs)
        self.calls.pop(call.id, None)
        if call.blobs is not None:
            close_blobs(call)
        if call.job is not None:
            self._end_job(call)
        self.outbox.queue.append(frame)

    def item(self, call: Call, seq: int, value: Encoded) -> None:
        """Queue one item of a stream."""
        if value.non_finite:
            text = f"{value.non_finite} non-finite numbers (NaN, Infinity) in item {seq} became null"
            self.port.log(call.id, "warning", "hardpoint", text)
        header = b'{"type":"item","id":%d,"seq":%d,"item":%b}' % (call.id, seq, value.json)
        self.outbox.queue.append(framed(header, value.blobs))

    def context(self, call: Call) -> Context:
        """The context to inject."""
        return Context(call, self.port)

    def current_call_id(self) -> int | None:
        """The call that the running thread works for."""
        ident = get_ident()
        if ident == self.main_ident:
            call = self.fence.current
        else:
            fence = self.fences.get(ident)
            call = None if fence is None else fence.call
            if call is None and self.call_of_task is not None:
                # A task that a call started, or a thread that works for such a task.
                call = self.call_of_task.get(None)
            if call is None and fence is None:
                call = self._call_of_thread()
        return None if call is None else call.id

    def _call_of_thread(self) -> Call | None:
        """The call of a job that started the running thread, as far as that can be told."""
        running = list(self.running.values())
        if len(running) != 1 or running[0].job is None:
            return None
        threading = sys.modules.get("threading")
        if threading is None or threading.current_thread() in running[0].threads_before:
            return None
        return running[0]

    def identity(self) -> tuple[str | None, str | None]:
        """Plugin name and instance, for errors."""
        if self.hello is None:
            return None, None
        plugin = self.hello["plugin"]
        return plugin.get("name"), plugin.get("instance")


def _threads() -> frozenset[Any]:
    threading = sys.modules.get("threading")
    return frozenset() if threading is None else frozenset(threading.enumerate())


def framed(header: bytes, blobs: list[Any] | None) -> Any:
    """A frame of ours with what it carries, checked against the limits."""
    if len(header) > limits.FRAME_HEADER_BYTES_MAX - 65536:
        size = len(header)
        raise ResultNotSerializable(
            f"a result of {size} bytes of JSON, allowed are {limits.FRAME_HEADER_BYTES_MAX}: return bytes"
        )
    if not blobs:
        return pack(header)
    from hardpoint._worker.blobs import frame_with_blobs

    return frame_with_blobs(header, blobs)


def close_blobs(call: Call) -> None:
    """Close the descriptors a call brought and did not read."""
    for blob in call.blobs or ():
        if not isinstance(blob, bytes):
            blob.close()
    call.blobs = None


def leave(code: int) -> None:
    """End the process, whatever other threads do."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    os._exit(code)


# From `errno`, which is not worth an import.
_EBADF = 9


def die(error: BaseException) -> None:
    """End the process because of a broken connection, a broken protocol, or a bug in the worker."""
    try:
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):
            os._exit(limits.EXIT_HOST_LOST)
        if isinstance(error, OSError) and error.errno == _EBADF:
            # Plugin code closed every descriptor there is, the socket among them.
            os._exit(limits.EXIT_HOST_LOST)
        if isinstance(error, Violation):
            os.write(2, f"hardpoint worker: protocol violation: {error}\n".encode("utf-8", "replace"))
            os._exit(limits.EXIT_VIOLATION)
        import traceback

        lines = traceback.format_exception(type(error), error, error.__traceback__)
        os.write(2, ("hardpoint worker: internal error\n" + "".join(lines)).encode("utf-8", "replace"))
    finally:
        os._exit(limits.EXIT_BUG)


def _open(gate: Any) -> None:
    try:
        gate.release()
    except RuntimeError:
        # It is open already.
        pass


def _no_blob(index: Any) -> Any:
    raise Violation(f"blob {index!r} where none may be")


_REQUESTS: dict[str, tuple[str, ...]] = {
    "initialize": ("config",),
    "validate": (),
    "prefetch": (),
    "reconfigure": ("old", "new"),
    "enable": (),
    "disable": (),
    "config_options": (),
    "cleanup": (),
}

# Those that may be told to drop what the config schema does not know.
_LENIENT = ("initialize", "reconfigure")

_ACTIONS: dict[str, Callable[[Worker, dict[str, Any]], None]] = {
    "hello": Worker._on_hello,
    "cancel": Worker._on_cancel,
    "credit": Worker._on_credit,
    "ping": Worker._on_ping,
    "shutdown": Worker._on_shutdown,
}
