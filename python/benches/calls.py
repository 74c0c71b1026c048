"""How fast a worker starts and answers, next to a bare JSON ping-pong and a bare interpreter.

    python benches/calls.py [seconds per measurement]

Owns: the numbers. Must not know: the worker's code; it drives a real process through a socket pair.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
from driver import Worker

TEXT = "x" * 100
PLUGIN = ("echo_plugin:Echo", os.path.join(HERE, "plugins"))
FLOOR = """
import json, os, socket, struct
s = socket.socket(fileno=3)
while True:
    data = s.recv(65536)
    if not data: break
    h, b = struct.unpack_from(">II", data)
    m = json.loads(data[8:8 + h])
    out = json.dumps({"type": "result", "id": m["id"], "result": {"text": m["args"]["text"]}}).encode()
    s.sendall(struct.pack(">II", len(out), 0) + out)
"""


def frame(call_id: int) -> bytes:
    header = {
        "type": "call", "id": call_id, "tool": "echo", "args": {"text": TEXT},
        "timeout_ms": 30000, "credit": 64, "job": None,
    }  # fmt: skip
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">II", len(text), 0) + text


class Counter:
    """Counts whole frames in what it receives."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.rest = b""

    def take(self) -> int:
        data = self.rest + self.end.recv(1 << 20)
        at = count = 0
        while len(data) - at >= 8:
            h, b = struct.unpack_from(">II", data, at)
            if len(data) - at < 8 + h + b:
                break
            at += 8 + h + b
            count += 1
        self.rest = data[at:]
        return count


def ping_pong(end: socket.socket, seconds: float) -> float:
    """The median round trip in microseconds."""
    counter = Counter(end)
    times = []
    stop = time.perf_counter() + seconds
    call_id = 1 << 40
    while time.perf_counter() < stop:
        call_id += 1
        data = frame(call_id)
        begin = time.perf_counter()
        end.sendall(data)
        while not counter.take():
            pass
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1e6


def pipelined(end: socket.socket, seconds: float, in_flight: int = 64) -> float:
    """Calls per second with so many calls in flight."""
    counter = Counter(end)
    frames = [frame(call_id) for call_id in range(1 << 41, (1 << 41) + 400_000)]
    sent = done = 0
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds and sent < len(frames) - in_flight:
        room = in_flight - (sent - done)
        if room:
            end.sendall(b"".join(frames[sent : sent + room]))
            sent += room
        done += counter.take()
    while done < sent:
        done += counter.take()
    return done / (time.perf_counter() - begin)


def floor(seconds: float) -> float:
    """The bare ping-pong."""
    ours, theirs = socket.socketpair()
    child = subprocess.Popen(
        [sys.executable, "-c", FLOOR], preexec_fn=lambda: os.dup2(theirs.fileno(), 3), pass_fds=(3, theirs.fileno())
    )  # fmt: skip
    theirs.close()
    try:
        ping_pong(ours, 0.2)
        return ping_pong(ours, seconds)
    finally:
        ours.close()
        child.wait()


def starts(count: int = 20) -> tuple[float, float]:
    """Median milliseconds from spawn to ready, and of an interpreter that does nothing."""
    ready, bare = [], []
    for _ in range(count):
        with Worker(*PLUGIN, initialize=False) as worker:
            worker.receive()
            ready.append(time.perf_counter() - worker.started)
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], env={"PATH": os.environ["PATH"]}, check=True)
        bare.append(time.perf_counter() - begin)
    return sorted(ready)[count // 2] * 1e3, sorted(bare)[count // 2] * 1e3


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    bare_us = floor(seconds)
    with Worker(*PLUGIN) as worker:
        ping_pong(worker.socket, 0.2)
        worker_us = ping_pong(worker.socket, seconds)
        rate = pipelined(worker.socket, seconds)
    ready_ms, pass_ms = starts()
    print(f"python {sys.version.split()[0]}")
    print(f"round trip    {worker_us:8.1f} us   bare json ping-pong {bare_us:.1f} us")
    print(f"64 in flight  {rate:8.0f} calls/s  {1e6 / rate:.1f} us per call")
    print(f"spawn->ready  {ready_ms:8.1f} ms   python -c pass {pass_ms:.1f} ms   x{ready_ms / pass_ms:.2f}")


if __name__ == "__main__":
    main()
