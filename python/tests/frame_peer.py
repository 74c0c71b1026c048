"""Echoes frames: decodes stdin with the worker's decoder, encodes to stdout with its encoder, until EOF.

    python frame_peer.py < frames > frames

The messages come back the same in meaning: the header's JSON re-encoded, `$blob` and `$value` read and
written, the blobs in the body (descriptors cannot pass a pipe; larger blobs are refused with exit code 2).

Owns: nothing; it is a mirror for the other side's property tests. Must not know: what messages mean.
"""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from hardpoint._worker.blobs import blob_bytes, frame_with_blobs
from hardpoint._worker.frames import FrameBuffer, Message, Violation, pack
from hardpoint._worker.values import ValueEncoder, decode

# The fields that hold values; the rest of a header is plain JSON.
VALUE_FIELDS = ("args", "result", "item", "config", "old", "new")


def mirrored(message: Message, encoder: ValueEncoder) -> bytes:
    """The frame that says the same."""
    blobs = message.blobs or []
    used: list[bytes] = []
    parts = []
    for name, value in message.header.items():
        if name == "blobs":
            continue
        key = encoder.encode(name).json
        if name not in VALUE_FIELDS:
            # Not a value: an object that looks like a blob is none here, and no escape applies.
            parts.append(key + b":" + plain(value))
            continue
        encoded = encoder.encode(decode(value, lambda index: blob_bytes(blobs[index])))
        json = encoded.json
        if encoded.blobs:
            # The blobs of several fields share one list: number them on.
            for index in reversed(range(len(encoded.blobs))):
                old, new = b'{"$blob":%d}' % index, b'{"$blob":%d}' % (index + len(used))
                json = json.replace(old, new)
            used.extend(encoded.blobs)
        parts.append(key + b":" + json)
    header = b"{" + b",".join(parts) + b"}"
    if not used:
        return pack(header)
    frame = frame_with_blobs(header, used)
    if frame.fds:
        raise Violation("a blob too large for a pipe")
    return frame.data


def plain(value: object) -> bytes:
    """JSON without blobs."""
    from hardpoint._worker.values import dumps

    return dumps({"": value})[4:-1]


def main() -> int:
    buffer, encoder = FrameBuffer(), ValueEncoder()
    out = sys.stdout.buffer
    while True:
        space = buffer.free_space()
        count = sys.stdin.buffer.raw.readinto(space)  # type: ignore[attr-defined]
        if not count:
            return 1 if buffer.pending_bytes() else 0
        buffer.received(count)
        message = buffer.next()
        while message is not None:
            out.write(mirrored(message, encoder))
            message = buffer.next()
        out.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Violation as error:
        print(f"frame_peer: {error}", file=sys.stderr)
        sys.exit(2)
