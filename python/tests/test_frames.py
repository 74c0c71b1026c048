"""Random frames against the worker's codec, and random bytes against a worker."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
from typing import Any

from driver import HERE, Worker


def seeded() -> random.Random:
    seed = int(os.environ.get("HARDPOINT_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)
    print(f"HARDPOINT_TEST_SEED={seed}")
    return random.Random(seed)


def random_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9 if depth < 5 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([0, -1, 2**63, 2**64 - 1, -(2**63), rng.getrandbits(40)])
    if kind == 2:
        return rng.choice([0.0, -1.5, 1e300, 5e-324, rng.random()])
    if kind <= 4:
        return "".join(rng.choice('ab"\\$\u00fc\u20ac\U0001f600\n\0{}:,') for _ in range(rng.randrange(12)))
    if kind == 5:
        return bytes(rng.getrandbits(8) for _ in range(rng.randrange(20)))
    if kind == 6:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ["a", "b", "$blob", "$value", "\u00fc", "", "$blob "]
    return {rng.choice(names): random_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def to_wire(value: Any, blobs: list[bytes]) -> Any:
    """An independent encoder, straight from the protocol page."""
    if isinstance(value, bytes):
        blobs.append(value)
        return {"$blob": len(blobs) - 1}
    if isinstance(value, list):
        return [to_wire(child, blobs) for child in value]
    if isinstance(value, dict):
        out = {key: to_wire(child, blobs) for key, child in value.items()}
        return {"$value": out} if list(out) in (["$blob"], ["$value"]) else out
    return value


def from_wire(value: Any, blobs: list[bytes]) -> Any:
    """An independent decoder."""
    if isinstance(value, list):
        return [from_wire(child, blobs) for child in value]
    if isinstance(value, dict):
        if list(value) == ["$blob"]:
            return blobs[value["$blob"]]
        if list(value) == ["$value"] and isinstance(value["$value"], dict):
            value = value["$value"]
        return {key: from_wire(child, blobs) for key, child in value.items()}
    return value


def frame(header: dict, blobs: list[bytes]) -> bytes:
    if blobs:
        header = {**header, "blobs": [{"len": len(blob)} for blob in blobs]}
    text = json.dumps(header, ensure_ascii=False).encode()
    body = b"".join(blobs)
    return struct.pack(">II", len(text), len(body)) + text + body


def unframe(data: bytes) -> list[tuple[dict, list[bytes]]]:
    out, at = [], 0
    while at < len(data):
        header_length, body_length = struct.unpack_from(">II", data, at)
        header = json.loads(data[at + 8 : at + 8 + header_length])
        at += 8 + header_length
        blobs = []
        for entry in header.get("blobs", []):
            blobs.append(data[at : at + entry["len"]])
            at += entry["len"]
        out.append((header, blobs))
        assert sum(map(len, blobs)) == body_length
    return out


def test_random_values_pass_the_mirror_unchanged():
    rng = seeded()
    sent, data = [], b""
    for number in range(500):
        value, config, blobs = random_value(rng), random_value(rng), []
        sent.append((value, config))
        header = {
            "type": "call",
            "id": number,
            "args": to_wire(value, blobs),
            "config": to_wire(config, blobs),
        }
        data += frame(header, blobs)
    peer = [sys.executable, os.path.join(HERE, "frame_peer.py")]
    done = subprocess.run(peer, input=data, stdout=subprocess.PIPE, timeout=60, check=True)
    got = unframe(done.stdout)
    assert len(got) == len(sent)
    for (header, blobs), (value, config) in zip(got, sent):
        assert from_wire(header["args"], blobs) == value
        assert from_wire(header["config"], blobs) == config


def test_random_values_pass_a_worker_unchanged(worker):
    rng = seeded()
    for _ in range(300):
        value, blobs = random_value(rng), []
        answer = worker.call("same", {"value": to_wire(value, blobs)}, blobs=blobs or None)
        assert from_wire(answer["result"], answer["_blobs"]) == value


def test_random_bytes_never_hang_a_worker():
    rng = seeded()
    for _ in range(25):
        with Worker() as worker:
            header = {"type": rng.choice(["call", "ping", "cancel", "credit", "x"]), "id": 9, "tool": "echo",
                      "args": {"text": "a"}, "timeout_ms": None, "credit": 1, "job": None, "phase": "x", "items": 1}  # fmt: skip
            for _ in range(rng.randrange(3)):
                header.pop(rng.choice(list(header)))
            good = frame(header, [b"x"] if rng.random() < 0.3 else [])
            bad = bytearray(good)
            for _ in range(rng.randrange(4)):
                bad[rng.randrange(len(bad))] = rng.getrandbits(8)
            try:
                worker.socket.sendall(bytes(bad[: rng.randrange(1, len(bad) + 1)]))
                worker.socket.shutdown(1)
            except OSError:
                pass
            assert worker.wait() in (75, 76), worker.text()
            assert "internal error" not in worker.text()


def test_frames_may_arrive_byte_by_byte(worker):
    header = {"type": "call", "id": 5, "tool": "echo", "args": {"text": "\u00fc"}, "timeout_ms": None, "credit": 1,
              "job": None}  # fmt: skip
    for byte in frame(header, []):
        worker.socket.sendall(bytes([byte]))
    assert worker.answer(5)["result"] == {"text": "\u00fc"}


def test_a_header_of_many_megabytes_passes(worker):
    text = "\u20ac" * (5 << 20)
    answer = worker.call("same", {"value": text})
    assert answer["result"] == text
    assert worker.call("echo", {"text": "a"})["result"] == {"text": "a"}
