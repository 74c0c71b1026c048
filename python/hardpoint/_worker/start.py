"""From the first byte to `ready`, and the process's own affairs.

Owns: the inherited socket, stdio, signals, fork, the handshake. Must not know: how calls run.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import _socket
import os
import sys
from time import monotonic

from hardpoint._worker import dialects
from hardpoint._worker.calls import Call
from hardpoint._worker.frames import Violation, pack
from hardpoint._worker.limits import EXIT_NOT_LOADED, PROTOCOL_MAX, PROTOCOL_MIN
from hardpoint._worker.private import close_off, take_over
from hardpoint._worker.title import set_title
from hardpoint._worker.tools import Tool
from hardpoint._worker.values import dumps
from hardpoint._worker.worker import Worker, die

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.dialects.seam import Loaded
    from hardpoint._worker.worker import Pipe

__all__ = ["main"]

# Above what plugins open by number.
FD_FLOOR = 100


def main() -> None:
    """Run the worker until its host is done with it."""
    try:
        socket = _socket.socket(fileno=_claim(int(os.environ.pop("HARDPOINT_FD", "3"))))
        worker = Worker(socket)
        worker.fence.install()
        _prepare_process(worker, socket)
        private = os.environ.pop("HARDPOINT_PRIVATE", None)
        if private is not None:
            close_off(private)
        worker.reading.right.acquire()
        while worker.hello is None:
            worker.reading.fill()
        hello = _checked(worker.hello)
        _agree(worker, hello)
        if private is None:
            set_title(hello["plugin"]["instance"])
        take_over(hello.pop("secrets", None))
        _load_plugin(worker, hello)
        _serve(worker, hello["concurrency"])
    except BaseException as error:
        die(error)


def _claim(fd: int) -> int:
    """Move the socket to where plugins and their children do not find it by accident."""
    import fcntl

    try:
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FD_FLOOR)
    except OSError:
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 4)
    null = os.open(os.devnull, os.O_RDWR)
    if null != fd:
        os.dup2(null, fd, inheritable=False)
        os.close(null)
    return high


def _pipes() -> list[Pipe]:
    """Descriptors of our own for what stdout and stderr are now, whatever becomes of 1 and 2."""
    import fcntl

    found = []
    for fd in (1, 2):
        try:
            own = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FD_FLOOR)
            status = os.fstat(own)
        except OSError:
            # It is closed, or there is no room for another: then its lines go without marks.
            continue
        found.append((own, (status.st_dev, status.st_ino)))
    return found


def _prepare_process(worker: Worker, socket: _socket.socket) -> None:
    worker.pipes = _pipes()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")

    def in_child() -> None:
        # A forked child is the plugin's: it must neither speak for the worker nor keep its
        # socket open after the worker is gone.
        worker.port.forked = True
        worker.pipes.clear()
        os.close(socket.detach())
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    os.register_at_fork(after_in_child=in_child)


def _checked(hello: dict[str, Any]) -> dict[str, Any]:
    try:
        plugin = hello["plugin"]
        for name in ("name", "entry", "dir", "instance"):
            if type(plugin[name]) is not str:
                raise Violation(f"a `hello` whose plugin.{name} is not a string")
        protocol = hello["protocol"]
        numbers = (protocol["min"], protocol["max"], hello["concurrency"])
        if any(type(number) is not int for number in numbers) or hello["concurrency"] < 1:
            raise Violation("a `hello` with a field of the wrong type")
    except (KeyError, TypeError) as error:
        raise Violation(f"a `hello` without a field: {error}") from None
    return hello


def _agree(worker: Worker, hello: dict[str, Any]) -> None:
    """Meet on a protocol version, or say which side to upgrade."""
    low, high = hello["protocol"]["min"], hello["protocol"]["max"]
    if low <= PROTOCOL_MAX and high >= PROTOCOL_MIN:
        return
    side = "host" if high < PROTOCOL_MIN else "worker"
    text = (
        f"worker speaks protocol {_range(PROTOCOL_MIN, PROTOCOL_MAX)}, "
        f"this host speaks {_range(low, high)}: upgrade the {side}"
    )
    worker.refuse(0, "ProtocolMismatch", text, "fatal")
    _stop(worker)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _load_plugin(worker: Worker, hello: dict[str, Any]) -> None:
    reading = worker.reading
    loading = Call(0, Tool("hello"), {})
    loading.started = started = monotonic()
    worker.running[0] = loading
    reading.start()
    # As in a call: while the import takes its time, the I/O thread reads.
    worker.fence.current = loading
    reading.right.release()
    loaded: Loaded | None = None
    failure: BaseException | None = None
    try:
        loaded = dialects.load(hello["plugin"], worker)
    except BaseException as error:
        failure = error
    worker.fence.current = None
    del worker.running[0]
    reading.take_back()
    elapsed_ms = (monotonic() - started) * 1000
    if loaded is None:
        worker.answer_error(loading, failure or RuntimeError(), elapsed_ms)
        _stop(worker)
        return
    worker.plugin = loaded
    _say_ready(worker, loaded, elapsed_ms)


def _stop(worker: Worker) -> None:
    from hardpoint._worker.worker import leave

    worker.outbox.flush()
    leave(EXIT_NOT_LOADED)


def _say_ready(worker: Worker, loaded: Loaded, import_ms: float) -> None:
    from hardpoint import __version__

    ready = {
        "type": "ready",
        "protocol": {"min": PROTOCOL_MIN, "max": PROTOCOL_MAX},
        "sdk": {"name": "hardpoint-python", "version": __version__},
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "pid": os.getpid(),
        "plugin": loaded.describe(),
        "tools": [tool.describe() for tool in loaded.tools.values()],
        "config_schema": loaded.config_schema,
        "import_ms": round(import_ms, 3),
        "marks": True,
    }
    if loaded.facts is not None:
        ready["facts"] = loaded.facts
    worker.outbox.queue.append(pack(dumps(ready)))
    worker.outbox.flush()


def _serve(worker: Worker, concurrency: int) -> None:
    if concurrency == 1:
        from hardpoint._worker.serve import Serve

        Serve(worker).forever()
        return
    from hardpoint._worker.pool import Pool

    pool = Pool(worker, concurrency)
    worker.reading.read_always()
    pool.forever()
