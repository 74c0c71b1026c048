"""Writes nonsense on the protocol socket, which hostile native code could find as well.

Promise: whatever a worker sends is untrusted. A broken envelope ends this worker and nobody else; a
length is checked before anything is allocated; a flood of valid messages slows only its sender.
Expected exit reason: protocol violation (`half`: deadline, because the rest of the frame may still
come; `message_flood`: own stop, it only floods).
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import time

from hardpoint import Plugin, tool

PEER_CREDENTIALS = struct.Struct("=iII")  # pid, uid, gid


class HalfFramePlugin(Plugin):
    """Speaks out of turn."""

    name = "half_frame"
    version = "1.0.0"

    @tool
    def half(self) -> None:
        """Announce a frame, send half of it, wait."""
        send(struct.pack(">II", 1000, 0) + b'{"type": "log", "mess')
        sleep_for_ever()

    @tool
    def garbage(self) -> None:
        """Send bytes that are no frame."""
        send(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n" * 1000)
        sleep_for_ever()

    @tool
    def no_json(self) -> None:
        """Send a well-formed frame whose header is no JSON."""
        send(frame(b"{this is not json}"))
        sleep_for_ever()

    @tool
    def huge_length(self) -> None:
        """Announce a header of 4 GiB."""
        send(struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF) + b"{}")
        sleep_for_ever()

    @tool
    def unknown_call(self) -> None:
        """Answer a call that nobody made."""
        send(
            frame(b'{"type": "result", "id": 4294967295, "result": null, "execution_time_ms": 1, "items": 0}')
        )
        sleep_for_ever()

    @tool
    def message_flood(self, messages: int = 1_000_000) -> int:
        """Send that many small, valid log messages, past the SDK's own limits."""
        message = frame(
            b'{"type": "log", "id": null, "level": "info", "logger": "flood", "message": "x", "dropped": 0}'
        )
        connection = protocol_socket()
        for _ in range(messages):
            send_on(connection, message)
        return messages

    @tool
    def close_socket(self) -> None:
        """Close the connection and stay."""
        protocol_socket().shutdown(socket.SHUT_RDWR)
        sleep_for_ever()

    @tool
    def close_everything(self) -> None:
        """Close every descriptor there is, as daemons do, and stay."""
        os.closerange(0, 65536)
        sleep_for_ever()


def frame(header: bytes) -> bytes:
    return struct.pack(">II", len(header), 0) + header


def send(data: bytes) -> None:
    send_on(protocol_socket(), data)


def send_on(connection: socket.socket, data: bytes) -> None:
    """Write everything, whether or not the worker made the socket non-blocking."""
    while data:
        try:
            data = data[connection.send(data) :]
        except BlockingIOError:
            select.select([], [connection], [])


def protocol_socket() -> socket.socket:
    """A second handle on the connection to the host: the Unix socket whose other end is another process."""
    for entry in os.listdir("/proc/self/fd"):
        try:
            is_socket = stat.S_ISSOCK(os.fstat(int(entry)).st_mode)
        except OSError:  # the descriptor that listed the folder
            continue
        if not is_socket:
            continue
        candidate = socket.socket(fileno=os.dup(int(entry)))
        if candidate.family == socket.AF_UNIX and peer_pid(candidate) != os.getpid():
            return candidate
        candidate.close()
    raise RuntimeError("no connection to the host found among the open descriptors")


def peer_pid(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size)
    return int(PEER_CREDENTIALS.unpack(raw)[0])


def sleep_for_ever() -> None:
    while True:
        time.sleep(3600)
