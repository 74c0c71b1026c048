"""A worker in a language of its own: it speaks the protocol from the socket up, and takes its time over one frame.

Promise: a frame that goes on arriving is waited for, however long all of it takes.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from typing import Any

PIECES = 7
PAUSE_SECONDS = 0.5

TOOL = {
    "name": "slow",
    "description": "",
    "input_schema": {},
    "output_schema": {},
    "streaming": False,
}
READY = {
    "type": "ready",
    "protocol": {"min": 1, "max": 1},
    "sdk": {"name": "slow", "version": "1"},
    "python": "",
    "pid": os.getpid(),
    "plugin": {"name": "slow", "version": "1", "description": ""},
    "tools": [TOOL],
    "config_schema": {"type": "object"},
    "import_ms": 0.0,
}


def frame(message: dict[str, Any]) -> bytes:
    header = json.dumps(message).encode()
    return struct.pack(">II", len(header), 0) + header


def received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise SystemExit(0)
        data += more
    return data


def result(call: int, value: object) -> bytes:
    return frame(
        {
            "type": "result",
            "id": call,
            "result": value,
            "execution_time_ms": 1.0,
            "items": 0,
        }
    )


def main() -> None:
    connection = socket.socket(fileno=int(os.environ["HARDPOINT_FD"]))
    connection.setblocking(True)
    while True:
        header, body = struct.unpack(">II", received(connection, 8))
        message = json.loads(received(connection, header + body)[:header])
        if message["type"] == "hello":
            connection.sendall(frame(READY))
        elif message["type"] in ("initialize", "validate"):
            connection.sendall(result(message["id"], None))
        elif message["type"] == "call":
            whole = result(message["id"], "x" * 7000)
            step = len(whole) // PIECES + 1
            for start in range(0, len(whole), step):
                connection.sendall(whole[start : start + step])
                time.sleep(PAUSE_SECONDS)
        elif message["type"] == "shutdown":
            return


main()
