"""Blobs: bytes too large for a JSON text, in the body of a frame or in a memory file of their own.

Owns: memory files, their seals, and who closes a descriptor. Must not know: messages and calls.
"""

from __future__ import annotations

import os
import sys

from hardpoint._worker.frames import Violation, pack
from hardpoint._worker.limits import (
    BLOB_BYTES_MAX,
    BLOB_FDS_MAX,
    BLOBS_MAX,
    FRAME_BODY_BYTES_MAX,
)
from hardpoint._worker.values import dumps, inline
from hardpoint.errors import ResultNotSerializable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    Blob = Union[bytes, "PassedBlob"]

__all__ = ["OutgoingFrame", "PassedBlob", "blob_bytes", "blob_view", "frame_with_blobs"]

READ_MAX = 0x7FFFF000


class PassedBlob:
    """A blob that came as a descriptor. Whoever holds it closes it."""

    __slots__ = ("fd", "length")

    def __init__(self, fd: int, length: int) -> None:
        self.fd = fd
        self.length = length
        size = os.fstat(fd).st_size
        if size != length:
            raise Violation(f"a memory file of {size} bytes was announced with {length}")
        if sys.platform == "linux":
            _check_seals(fd)

    def close(self) -> None:
        """Let go of the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


def _check_seals(fd: int) -> None:
    import fcntl

    # F_GET_SEALS is 1034; SHRINK, GROW and WRITE are 2, 4 and 8. Python names them from 3.8 on where
    # its C library did when it was built.
    try:
        seals = fcntl.fcntl(fd, 1034)
    except OSError:
        seals = 0
    if seals & 14 != 14:
        raise Violation("a passed descriptor is not a sealed memory file")


def blob_bytes(blob: Blob) -> bytes:
    """The blob in one copy."""
    if isinstance(blob, bytes):
        return blob
    if blob.fd < 0:
        raise ValueError("this blob was read already")
    try:
        # At explicit offsets: the position of the descriptor is shared with its sender.
        data = os.pread(blob.fd, min(blob.length, READ_MAX), 0)
        parts = [data]
        done = len(data)
        while done < blob.length:
            more = os.pread(blob.fd, min(blob.length - done, READ_MAX), done)
            if not more:
                raise OSError("a memory file ended early")
            parts.append(more)
            done += len(more)
        return data if len(parts) == 1 else b"".join(parts)
    finally:
        blob.close()


def blob_view(blob: Blob) -> memoryview:
    """The blob without a copy: mapped where it came as a memory file."""
    if isinstance(blob, bytes):
        return memoryview(blob)
    if blob.fd < 0:
        raise ValueError("this blob was read already")
    try:
        if blob.length == 0:
            return memoryview(b"")
        import mmap

        return memoryview(mmap.mmap(blob.fd, blob.length, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))
    finally:
        blob.close()


class OutgoingFrame:
    """A frame with the descriptors that travel on its first byte."""

    __slots__ = ("data", "fds")

    def __init__(self, data: bytes, fds: list[int]) -> None:
        self.data = data
        self.fds = fds

    def close(self) -> None:
        """Close our copies: after the send, or instead of it."""
        fds, self.fds = self.fds, []
        for fd in fds:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def frame_with_blobs(header: bytes, blobs: list[Any]) -> OutgoingFrame:
    """Put `blobs` into a frame whose header text is `header`, one JSON object that names no blobs."""
    if len(blobs) > BLOBS_MAX:
        raise ResultNotSerializable(f"{len(blobs)} binary values in one result, allowed are {BLOBS_MAX}")
    entries: list[dict[str, Any]] = []
    body: list[Any] = []
    large: list[Any] = []
    for blob in blobs:
        size = blob.nbytes if isinstance(blob, memoryview) else len(blob)
        if inline(blob):
            entries.append({"len": size})
            body.append(_contiguous(blob))
            continue
        if size > BLOB_BYTES_MAX:
            raise ResultNotSerializable(f"a binary value of {size} bytes, allowed are {BLOB_BYTES_MAX}")
        entries.append({"len": size, "fd": True})
        large.append(blob)
    if len(large) > BLOB_FDS_MAX:
        raise ResultNotSerializable(
            f"{len(large)} large binary values in one result, allowed are {BLOB_FDS_MAX}"
        )
    joined = b"".join(body)
    if len(joined) > FRAME_BODY_BYTES_MAX:
        raise ResultNotSerializable(f"{len(joined)} bytes of small binary values in one result")
    listed = dumps({"blobs": entries})
    frame = OutgoingFrame(pack(header[:-1] + b"," + listed[1:], joined), [])
    for blob in large:
        frame.fds.append(_memory_file(_contiguous(blob)))
    return frame


def _contiguous(blob: Any) -> Any:
    if isinstance(blob, memoryview):
        return blob.cast("B") if blob.c_contiguous and blob.nbytes else blob.tobytes()
    return blob


def _memory_file(data: Any) -> int:
    """A sealed memory file that holds `data`, rewound; an unlinked temporary file elsewhere."""
    create = getattr(os, "memfd_create", None)
    if create is not None:
        fd: int = create("hardpoint-blob", 3)  # MFD_CLOEXEC | MFD_ALLOW_SEALING
    else:
        import tempfile

        fd, path = tempfile.mkstemp(prefix="hardpoint-blob-")
        os.unlink(path)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        if create is not None:
            import fcntl

            fcntl.fcntl(fd, 1033, 14)  # F_ADD_SEALS: SHRINK | GROW | WRITE
    except BaseException:
        os.close(fd)
        raise
    return fd
