"""Who reads the socket: the main thread while it is idle, the I/O thread while a call keeps it busy.

Owns: the socket's receiving side, the right to read it, the I/O thread. Must not know: what messages
mean; it hands them on.

    main idle          main reads; the I/O thread sleeps without a timeout
    main in a call     the I/O thread ticks; after one whole tick in the same call it reads
    main done          takes the right to read back, with a wake-up through a pipe if need be

With `always` (more than one call at a time) the I/O thread reads from the handshake to the end.
"""

from __future__ import annotations

import _socket
import os
from _thread import allocate_lock, start_new_thread

from hardpoint._worker.frames import FrameBuffer, Message, Violation
from hardpoint._worker.limits import (
    BLOB_FDS_MAX,
    EXIT_HOST_LOST,
    IDLE_TICKS,
    PROGRESS_GAP_SECONDS,
    TICK_SECONDS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from hardpoint._worker.calls import Call
    from hardpoint._worker.interrupts import MainFence
    from hardpoint._worker.outbox import Outbox

__all__ = ["Reading"]

# Descriptors arrive closed on exec where the kernel can do that (Linux).
_CMSG_CLOEXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
_CMSG_BYTES = _socket.CMSG_SPACE(4 * BLOB_FDS_MAX)


class Reading:
    """The receiving side of the socket and the thread that guards it."""

    def __init__(
        self,
        socket: _socket.socket,
        outbox: Outbox,
        fence: MainFence,
        handle: Callable[[Message], None],
        die: Callable[[BaseException], None],
    ) -> None:
        self._socket = socket
        self._outbox = outbox
        self._fence = fence
        self._handle = handle
        self._die = die
        self._frames = FrameBuffer()
        # Whoever holds this lock is the reader.
        self.right = allocate_lock()
        self._gate = allocate_lock()
        self._gate.acquire()
        self._wake_read = self._wake_write = -1
        self._polling = False
        self._main_wants = False
        self.asleep = False
        self.always = False
        # Called on every turn of the I/O thread; says whether something still waits for its time.
        self.late: Callable[[], bool] = lambda: False

    def start(self) -> None:
        """Start the I/O thread."""
        start_new_thread(self._guard, ())

    def fill(self) -> None:
        """Wait for bytes and hand over every complete message. Only with the right to read."""
        frames = self._frames
        count, ancillary, flags, _ = self._socket.recvmsg_into(
            (frames.free_space(),), _CMSG_BYTES, _CMSG_CLOEXEC
        )
        if count == 0:
            if frames.pending_bytes():
                raise Violation("the connection ended in the middle of a frame")
            # The host is gone: so are we, whatever plugin code is doing.
            os._exit(EXIT_HOST_LOST)
        if ancillary:
            frames.received(count, _descriptors(ancillary))
        else:
            frames.received(count)
        if flags & _socket.MSG_CTRUNC:
            raise Violation("more descriptors than a frame may carry")
        self.drain()

    def drain(self) -> None:
        """Hand over every message that is complete already."""
        frames, handle = self._frames, self._handle
        message = frames.next()
        while message is not None:
            handle(message)
            message = frames.next()

    def take_back(self) -> None:
        """The main thread wants the right to read."""
        if not self.right.acquire(False):
            self._main_wants = True
            self._write_wake()
            self.right.acquire()
            self._main_wants = False

    def kick(self) -> None:
        """Something was queued by a plugin thread: see that the I/O thread looks."""
        if self.asleep:
            self.wake()
        elif self._polling:
            # Every time, without a "written already": an interrupt could hit between flag and write.
            self._write_wake()

    def wake(self) -> None:
        """End the I/O thread's sleep."""
        self.asleep = False
        try:
            self._gate.release()
        except RuntimeError:
            # Two threads woke it at the same time.
            pass

    def read_always(self) -> None:
        """From now on the I/O thread is the reader. The caller holds the right and gives it up."""
        self.always = True
        self._open_wake_pipe()
        self.right.release()
        self.wake()

    def _write_wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            # The pipe is full of wake-ups: that is awake enough.
            pass

    def _guard(self) -> None:
        try:
            while True:
                self._watch()
        except BaseException as error:
            self._die(error)

    def _watch(self) -> None:
        """Tick until there is nothing to watch, then sleep; take over reading in between."""
        gate, fence, outbox = self._gate, self._fence, self._outbox
        seen: Call | None = None
        idle_ticks = 0
        while True:
            gate.acquire(True, TICK_SECONDS)
            if self.always:
                self._take_over()
            current = fence.current
            waits = self.late()
            if outbox.queue:
                outbox.flush()
            elif current is None and not waits:
                idle_ticks += 1
                if idle_ticks >= IDLE_TICKS:
                    idle_ticks = 0
                    self.asleep = True
                    # Looked at after `asleep` is set: whoever comes later sees it and wakes us.
                    if fence.current is None and not outbox.queue and not self.always:
                        seen = None
                        gate.acquire()
                    self.asleep = False
                continue
            idle_ticks = 0
            if current is not None and current is seen:
                current = None
                self._take_over()
            seen = current

    def _take_over(self) -> None:
        """Be the reader until the main thread wants the right back."""
        from select import POLLIN, poll

        self._open_wake_pipe()
        if not self.right.acquire(False):
            return
        try:
            self._polling = True
            poller = poll()
            poller.register(self._socket.fileno(), POLLIN)
            poller.register(self._wake_read, POLLIN)
            self.drain()
            while not self._main_wants:
                waits = self.late()
                if self._outbox.queue:
                    self._outbox.flush()
                ready = poller.poll(PROGRESS_GAP_SECONDS * 1000 if waits else None)
                for fd, _events in ready:
                    if fd == self._wake_read:
                        os.read(fd, 4096)
                    else:
                        self.fill()
        finally:
            self._polling = False
            self.right.release()

    def _open_wake_pipe(self) -> None:
        if self._wake_read < 0:
            self._wake_read, write = os.pipe()
            os.set_blocking(write, False)
            self._wake_write = write


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            whole = len(data) - len(data) % 4
            fds.extend(memoryview(data)[:whole].cast("i"))
    if not _CMSG_CLOEXEC:
        for fd in fds:
            os.set_inheritable(fd, False)
    return fds
