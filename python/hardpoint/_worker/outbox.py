"""The way out: frames of any thread, in order, one sender at a time.

Owns: the queue of frames, the send lock, partial sends. Must not know: what the frames say.

Plugin threads only append (one atomic step, so that an interrupt can hit anywhere); sending is done
outside plugin code, by whoever holds the send lock.
"""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found,unused-ignore]
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Union

    from hardpoint._worker.blobs import OutgoingFrame

    Frame = Union[bytes, OutgoingFrame]

__all__ = ["Outbox"]


class Outbox:
    """Frames that wait to be sent."""

    __slots__ = ("_sending", "_socket", "queue")

    def __init__(self, socket: socket) -> None:
        self._socket = socket
        self._sending = allocate_lock()
        self.queue: deque[Frame] = deque()

    def flush(self) -> None:
        """Send everything that is queued. Must not run where an interrupt may be raised."""
        queue = self.queue
        with self._sending:
            while queue:
                parts: list[bytes] = []
                carrier: OutgoingFrame | None = None
                while queue:
                    frame = queue.popleft()
                    if type(frame) is bytes:
                        parts.append(frame)
                    else:
                        carrier = frame
                        break
                if parts:
                    self._socket.sendall(parts[0] if len(parts) == 1 else b"".join(parts))
                if carrier is not None:
                    self._send_with_fds(carrier)

    def _send_with_fds(self, frame: OutgoingFrame) -> None:
        sent = 0
        if frame.fds:
            # 1 and 1 are SOL_SOCKET and SCM_RIGHTS on Linux; the module knows them elsewhere.
            import _socket
            from array import array

            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", frame.fds))]
            # The descriptors travel on the first byte; a partial send carries all of them.
            sent = self._socket.sendmsg([memoryview(frame.data)[: 64 << 10]], rights)
            frame.close()
        self._socket.sendall(memoryview(frame.data)[sent:])
