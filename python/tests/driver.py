"""A host for tests: one real worker process on a real socket pair.

Owns: the process, the socket and an independent codec for frames. Must not know: the worker's own code.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
SDK = os.path.dirname(HERE)
DEADLINE_SECONDS = 20.0


class Gone(Exception):
    """The worker closed its socket."""


class Worker:
    """Starts a worker, speaks to it, and ends it."""

    def __init__(
        self,
        entry: str = "sample:Sample",
        directory: str | None = None,
        concurrency: int = 1,
        initialize: bool = True,
        config: dict[str, Any] | None = None,
        hello: bool = True,
        protocol: tuple[int, int] = (1, 1),
        python: str = sys.executable,
        env: dict[str, str] | None = None,
        cwd: str | None = None,
        **plugin: Any,
    ) -> None:
        self.socket, child = socket.socketpair()
        self.output = tempfile.TemporaryFile()
        fd = child.fileno()

        def place() -> None:
            os.dup2(fd, 3)
            os.closerange(4, 1024)

        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [python, "-X", "faulthandler", os.path.join(SDK, "hardpoint_worker.py")],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            preexec_fn=place,
            close_fds=False,
            env={"HARDPOINT_FD": "3", "PATH": os.environ.get("PATH", ""), **(env or {})},
            start_new_session=True,
            cwd=cwd,
        )
        child.close()
        self.buffer = bytearray()
        self.fds: list[int] = []
        self.next_id = 0
        self.concurrency = concurrency
        self.seen: list[dict[str, Any]] = []
        self.ready: dict[str, Any] = {}
        plugin = {
            "name": "sample", "version": "1.0.0", "entry": entry, "dialect": "native",
            "dir": directory or os.path.join(HERE, "plugins"), "instance": "sample-1", "incarnation": 1,
            **plugin,
        }  # fmt: skip
        if hello:
            low, high = protocol
            self.send({
                "type": "hello", "protocol": {"min": low, "max": high}, "host_version": "0.1.0",
                "plugin": plugin, "concurrency": concurrency,
            })  # fmt: skip
        if hello and initialize:
            self.ready = self.receive()
            assert self.ready["type"] == "ready", self.ready
            done = self.request("initialize", config={} if config is None else config)
            assert done["type"] == "result", done

    def send(self, header: dict[str, Any], blobs: list[Any] | None = None) -> None:
        """Send one frame; a blob is bytes (in the body) or a descriptor (passed and closed)."""
        body, fds = b"", []
        if blobs is not None:
            entries = []
            for blob in blobs:
                if isinstance(blob, int):
                    entries.append({"len": os.fstat(blob).st_size, "fd": True})
                    fds.append(blob)
                else:
                    entries.append({"len": len(blob)})
                    body += blob
            header = {**header, "blobs": entries}
        text = json.dumps(header, ensure_ascii=False).encode()
        data = struct.pack(">II", len(text), len(body)) + text + body
        if fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            data = data[self.socket.sendmsg([data], rights) :]
            for fd in fds:
                os.close(fd)
        # Sending nothing would still find out that the worker has ended meanwhile, as some tests want it to.
        if data:
            self.socket.sendall(data)

    def start(self, tool: str, args: dict[str, Any] | None = None, **more: Any) -> int:
        """Send a call; returns its id."""
        self.next_id += 1
        blobs = more.pop("blobs", None)
        fields = {"timeout_ms": None, "credit": 64, "job": None, **more}
        header = {"type": "call", "id": self.next_id, "tool": tool, "args": args or {}, **fields}
        self.send(header, blobs)
        return self.next_id

    def call(self, tool: str, args: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Call a tool; returns the `result` or `error`."""
        return self.answer(self.start(tool, args, **more))

    def request(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send another request; returns its answer."""
        self.next_id += 1
        self.send({"type": kind, "id": self.next_id, **fields})
        return self.answer(self.next_id)

    def cancel(self, call_id: int, phase: str = "cooperative") -> None:
        self.send({"type": "cancel", "id": call_id, "phase": phase})

    def answer(self, call_id: int) -> dict[str, Any]:
        """The answer to `call_id`; what comes before it is kept in `seen`."""
        return self.until(lambda m: m.get("id") == call_id and m["type"] in ("result", "error", "pong"))

    def until(self, wanted: Any) -> dict[str, Any]:
        """The first message that fits; the others are kept in `seen`."""
        for index, message in enumerate(self.seen):
            if wanted(message):
                return self.seen.pop(index)
        while True:
            message = self.receive()
            if wanted(message):
                return message
            self.seen.append(message)

    def receive(self) -> dict[str, Any]:
        """The next message, with the bytes of its blobs under `_blobs`."""
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            if len(self.buffer) >= 8:
                header_length, body_length = struct.unpack_from(">II", self.buffer)
                total = 8 + header_length + body_length
                if len(self.buffer) >= total:
                    return self._take(header_length, total)
            if not select.select([self.socket], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the worker said nothing; output: {self.text()}")
            data, ancillary, _, _ = self.socket.recvmsg(1 << 18, 4096)
            if not data:
                raise Gone(self.text())
            for _level, _kind, raw in ancillary:
                self.fds.extend(array.array("i", raw))
            self.buffer += data

    def _take(self, header_length: int, total: int) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(bytes(self.buffer[8 : 8 + header_length]))
        at = 8 + header_length
        blobs = []
        for entry in message.get("blobs") or []:
            if entry.get("fd"):
                fd = self.fds.pop(0)
                blobs.append(os.pread(fd, entry["len"] + 1, 0))
                os.close(fd)
            else:
                blobs.append(bytes(self.buffer[at : at + entry["len"]]))
                at += entry["len"]
            assert len(blobs[-1]) == entry["len"]
        assert at == total
        del self.buffer[:total]
        message["_blobs"] = blobs
        return message

    def text(self) -> str:
        """What the worker wrote to stdout and stderr so far."""
        return os.pread(self.output.fileno(), 1 << 22, 0).decode("utf-8", "replace")

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        """End the worker and everything it started."""
        self.socket.close()
        try:
            os.killpg(self.process.pid, 9)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait(DEADLINE_SECONDS)
        self.output.close()
        for fd in self.fds:
            os.close(fd)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def wait_until(condition: Any, what: str = "the condition") -> Any:
    """Poll until `condition()` is true."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come true")
        time.sleep(0.002)
