"""Frames: bytes from the socket to messages, and messages to bytes.

Owns: the receive buffer, the frame format, and which descriptors belong to which frame. Must not know:
what a message means. Everything wrong with an envelope is a `Violation`.
"""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found,unused-ignore]
from _struct import Struct, unpack_from

from hardpoint._worker.limits import (
    BLOB_BYTES_MAX,
    BLOB_FDS_MAX,
    BLOBS_MAX,
    FRAME_BODY_BYTES_MAX,
    FRAME_HEADER_BYTES_MAX,
    RECV_BYTES,
)
from hardpoint._worker.values import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from hardpoint._worker.blobs import Blob

__all__ = ["FrameBuffer", "Message", "Violation", "pack"]

PREFIX = Struct(">II")
_pack_prefix = PREFIX.pack


class Violation(Exception):
    """The other side broke the protocol."""


class Message:
    """One decoded frame: its header, its blobs, and whether its values need a second look."""

    __slots__ = ("blobs", "escaped", "header")

    def __init__(self, header: dict[str, Any], blobs: list[Blob] | None, escaped: bool) -> None:
        self.header = header
        self.blobs = blobs
        self.escaped = escaped


def pack(header: bytes, body: bytes = b"") -> bytes:
    """One frame. The caller has checked the limits."""
    return _pack_prefix(len(header), len(body)) + header + body


class FrameBuffer:
    """Turns received bytes (and descriptors) into messages. One reader at a time."""

    __slots__ = ("_bytes", "_end", "_fds", "_start", "_view")

    def __init__(self) -> None:
        self._bytes = bytearray(RECV_BYTES)
        self._view = memoryview(self._bytes)
        self._start = 0
        self._end = 0
        self._fds: deque[int] = deque()

    def free_space(self) -> memoryview:
        """Where the next received bytes go; never empty."""
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._bytes) > RECV_BYTES:
                self._resize(RECV_BYTES)
        return self._view[self._end :]

    def received(self, count: int, fds: list[int] | None = None) -> None:
        """`count` bytes were put into `free_space`, and these descriptors came along."""
        self._end += count
        if fds:
            self._fds.extend(fds)
            if len(self._fds) > 2 * BLOB_FDS_MAX:
                raise Violation(f"{len(self._fds)} descriptors wait for their frames")

    def pending_bytes(self) -> int:
        """Bytes received and not yet turned into a message: above 0 at the end means half a frame."""
        return self._end - self._start

    def next(self) -> Message | None:
        """The next complete message, or None until more bytes come."""
        start = self._start
        available = self._end - start
        if available < 8:
            if available and start:
                self._make_room(8)
            return None
        header_length, body_length = unpack_from(">II", self._bytes, start)
        if not 0 < header_length <= FRAME_HEADER_BYTES_MAX:
            raise Violation(f"header of {header_length} bytes, allowed are 1 to {FRAME_HEADER_BYTES_MAX}")
        if body_length > FRAME_BODY_BYTES_MAX:
            raise Violation(f"body of {body_length} bytes, allowed are {FRAME_BODY_BYTES_MAX}")
        total = 8 + header_length + body_length
        if available < total:
            self._make_room(total)
            return None
        body_start = start + 8 + header_length
        try:
            text = str(self._view[start + 8 : body_start], "utf-8")
        except UnicodeDecodeError as error:
            raise Violation(f"header is not UTF-8: {error}") from None
        self._start = start + total
        header = parse_object(text)
        if header is None:
            raise Violation("header is not a JSON object")
        entries = header.get("blobs")
        if entries is None:
            if body_length:
                raise Violation(f"a body of {body_length} bytes without blobs")
            return Message(header, None, '"$' in text or "\\u0024" in text)
        return Message(header, self._take_blobs(entries, body_start, body_length), True)

    def _take_blobs(self, entries: Any, at: int, body_length: int) -> list[Blob]:
        from hardpoint._worker.blobs import PassedBlob

        if type(entries) is not list or len(entries) > BLOBS_MAX:
            raise Violation(f"`blobs` must be a list of at most {BLOBS_MAX}")
        end = at + body_length
        fds_used = 0
        blobs: list[Blob] = []
        for entry in entries:
            length = entry.get("len") if type(entry) is dict else None
            if type(length) is not int or not 0 <= length <= BLOB_BYTES_MAX:
                raise Violation(f"blob {len(blobs)} has no valid length")
            if entry.get("fd"):
                fds_used += 1
                if fds_used > BLOB_FDS_MAX or not self._fds:
                    raise Violation(f"blob {len(blobs)} has no descriptor")
                blobs.append(PassedBlob(self._fds.popleft(), length))
            else:
                if at + length > end:
                    raise Violation("the blobs are longer than the body")
                blobs.append(bytes(self._view[at : at + length]))
                at += length
        if at != end:
            raise Violation("the blobs are shorter than the body")
        return blobs

    def _make_room(self, total: int) -> None:
        """Make the buffer able to hold a frame of `total` bytes that begins at `_start`."""
        if total > len(self._bytes):
            self._resize(total)
        elif self._start + total > len(self._bytes):
            rest = bytes(self._view[self._start : self._end])
            self._view[: len(rest)] = rest
            self._start, self._end = 0, len(rest)

    def _resize(self, size: int) -> None:
        rest = self._view[self._start : self._end]
        fresh = bytearray(size)
        fresh[: len(rest)] = rest
        self._start, self._end = 0, len(rest)
        self._bytes = fresh
        self._view = memoryview(fresh)


def each(buffer: FrameBuffer, handle: Callable[[Message], None]) -> None:
    """Hand over every message that is complete."""
    while True:
        message = buffer.next()
        if message is None:
            return
        handle(message)
