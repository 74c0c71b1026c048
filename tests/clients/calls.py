"""Asks a host for everything that the Python client offers, and stops at the first thing that is not as it should be.

`HARDPOINT_SERVER` and `HARDPOINT_TOKEN` say which host; its plugin is `well`. What it prints is for whoever started it.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

from hardpoint.client import Client, RemoteError
from hardpoint.errors import InputError, TransientError


class Saved:
    """Puts itself into a file when somebody wants to send it."""

    path = ""

    def to_temp_file(self) -> str:
        handle, self.path = tempfile.mkstemp()
        os.close(handle)
        return self.path


def main() -> None:
    with Client() as host:
        assert host.call("well", "echo", {"text": "a"}) == "a"
        data = os.urandom(200_000)
        assert host.call("well", "echo_bytes", {"data": data}) == data
        assert host.call("well", "echo", {"text": Path("/a/b")}) == "/a/b"
        saved = Saved()
        path = host.call("well", "echo", {"text": saved})
        assert path == saved.path
        assert not os.path.exists(path), "the file of an argument outlives its call"
        stream = host.stream("well", "count", {"n": 500})
        assert list(stream) == list(range(500))
        assert stream.result is None
        notes: list[object] = []
        assert (
            host.call(
                "well",
                "progress",
                {"n": 3},
                on_note=lambda note: notes.append(note["event"]),
            )
            == 3
        )
        assert "progress" in notes, notes
        failures(host)
        with host.stream("well", "count", {"n": 100_000_000}) as endless:
            assert list(itertools.islice(endless, 3)) == [0, 1, 2]
        print("cancelled", flush=True)
        host.stream("well", "nap", {"seconds": 600})
        print("left alone", flush=True)
        input()
    print("closed", flush=True)
    host = Client()
    with host.stream("well", "nap", {"seconds": 600}) as nap:
        print("waiting", flush=True)
        try:
            next(nap)
        except ConnectionError as error:
            print("lost:", error, flush=True)


def failures(host: Client) -> None:
    seen = []
    try:
        seen.extend(host.stream("well", "count", {"n": 5, "fail_at": 2}))
    except TransientError as error:
        assert isinstance(error, RemoteError)
        assert error.error_type == "TransientError", error.problem
    else:
        raise AssertionError("it did not fail")
    assert seen == [0, 1], seen
    try:
        host.call("well", "count", {"n": "x"})
    except InputError as error:
        assert error.fields_invalid == ["n"], error.fields_invalid
    else:
        raise AssertionError("it was not refused")
    try:
        Client(token="wrong").call("well", "echo", {"text": "a"})
    except RemoteError as error:
        assert error.problem["code"] == "token_unknown", error.problem
    else:
        raise AssertionError("it was let in")
    try:
        Client("http://127.0.0.1:1").call("well", "echo", {"text": "a"})
    except OSError:
        pass
    else:
        raise AssertionError("nobody is there")


main()
