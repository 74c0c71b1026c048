"""A client of a running host: its tools are called, and their streams read, as if they were functions.

Owns: the HTTP of the run route, and how answers become values, items and exceptions. Must not know: the
worker. Standard library only. It is not imported with the package, so that no plugin pays for it.

    from hardpoint.client import Client

    with Client() as host:
        host.call("ocr", "read", {"image": picture})
        for item in host.stream("ocr", "lines", {"image": picture}):
            ...
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from hardpoint.errors import (
    CATEGORIES,
    FatalError,
    InputError,
    PluginError,
    ResourceError,
    ResourceShortfall,
    TransientError,
)

__all__ = ["Client", "RemoteError", "Stream"]

DEFAULT_SERVER = "http://127.0.0.1:8700"
LINE_BYTES_MAX = 512 << 20
PROBLEM_BYTES_MAX = 1 << 20
BYTES_KEY = "$bytes"

Note = Callable[[dict[str, Any]], None]


class RemoteError(PluginError):
    """A call failed over there. It is one of the errors that a plugin raises, by its category, as well."""

    #: The class of the exception that the plugin raised, or the host's own name for what happened.
    error_type: str = "HostError"
    #: Everything that the host says about it.
    problem: Mapping[str, Any] = {}


class _Input(RemoteError, InputError):
    pass


class _Transient(RemoteError, TransientError):
    pass


class _Resource(RemoteError, ResourceError):
    pass


class _Fatal(RemoteError, FatalError):
    pass


_BY_CATEGORY: dict[str, type[RemoteError]] = dict(zip(CATEGORIES, (_Input, _Transient, _Resource, _Fatal)))


class Client:
    """One host. Each call has a connection of its own, so that several threads may share a client.

    `server` is the host's address, else `HARDPOINT_SERVER`, else http://127.0.0.1:8700. `token` is what it is
    asked with, else `HARDPOINT_TOKEN`. A host that cannot be reached is an `OSError`.
    """

    def __init__(self, server: str | None = None, token: str | None = None) -> None:
        address = server or os.environ.get("HARDPOINT_SERVER") or DEFAULT_SERVER
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"{address!r} is not the address of a host, such as {DEFAULT_SERVER}")
        self._parts = parts
        self._token = token or os.environ.get("HARDPOINT_TOKEN")
        self._open: set[Stream] = set()

    def call(
        self,
        plugin: str,
        tool: str,
        args: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None = None,
        on_note: Note | None = None,
    ) -> Any:
        """Run a tool and return its result. `on_note` is given progress, log lines and usage as they come."""
        stream = self.stream(plugin, tool, args, timeout_seconds=timeout_seconds, on_note=on_note)
        for _ in stream:
            pass
        return stream.result

    def stream(
        self,
        plugin: str,
        tool: str,
        args: Mapping[str, Any] | None = None,
        *,
        timeout_seconds: float | None = None,
        on_note: Note | None = None,
    ) -> Stream:
        """Run a tool and return its items, one by one as they come; a failure is raised after the last one.

        The tool goes on only as fast as the items are taken. Closing the stream before its end cancels it.
        """
        names = (urllib.parse.quote(name, safe="") for name in (plugin, tool))
        path = "/v1/plugins/{}/tools/{}/run".format(*names)
        files: list[str] = []

        def closed(stream: Stream | None) -> None:
            for file in files:
                with contextlib.suppress(OSError):
                    os.unlink(file)
            if stream is not None:
                self._open.discard(stream)

        try:
            given = {name: _to_file(value, files) for name, value in (args or {}).items()}
            body: dict[str, Any] = {"args": _to_json(given)}
            if timeout_seconds is not None:
                body["timeout_seconds"] = timeout_seconds
            stream = Stream(self._connection(), path, self._headers(), body, on_note, closed)
        except BaseException:
            closed(None)
            raise
        self._open.add(stream)
        return stream

    def close(self) -> None:
        """Cancel what is still running."""
        for stream in list(self._open):
            stream.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connection(self) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return make(self._parts.hostname or "", self._parts.port)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


class Stream:
    """A call that runs: an iterator over its items. `result` is there once they are through."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        headers: dict[str, str],
        body: dict[str, Any],
        on_note: Note | None,
        on_close: Callable[[Stream], None],
    ) -> None:
        #: What the tool returned.
        self.result: Any = None
        self._connection = connection
        self._on_note = on_note
        self._on_close = on_close
        try:
            connection.request("POST", path, json.dumps(body, allow_nan=False), headers)
            self._response = connection.getresponse()
            if self._response.status != 200:
                raise _failure(_problem(self._response))
        except BaseException:
            connection.close()
            raise

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while not self._response.closed:
            event = self._event()
            kind = event.get("event")
            if kind == "item":
                return _from_json(event.get("item"))
            if kind == "result":
                self.result = _from_json(event.get("result"))
                self.close()
            elif kind == "error":
                self.close()
                raise _failure(event)
            elif self._on_note is not None:
                self._on_note(event)
        raise StopIteration

    def _event(self) -> dict[str, Any]:
        try:
            line = self._response.readline(LINE_BYTES_MAX)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise ConnectionError(f"the host went away in the middle of a call: {error!r}") from error
        if not line.endswith(b"\n"):
            self.close()
            raise ConnectionError("the host went away in the middle of a call")
        event = json.loads(line)
        if not isinstance(event, dict):
            self.close()
            raise ConnectionError("what answers is no hardpoint server")
        return event

    def close(self) -> None:
        """Cancel the call if it still runs."""
        self._response.close()
        self._connection.close()
        self._on_close(self)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _problem(response: http.client.HTTPResponse) -> dict[str, Any]:
    text = response.read(PROBLEM_BYTES_MAX)
    try:
        problem = json.loads(text)
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return problem
    raise ConnectionError(f"what answers with status {response.status} is no hardpoint server")


def _failure(problem: Mapping[str, Any]) -> RemoteError:
    kind = _BY_CATEGORY.get(str(problem.get("category")), _category_of_status(problem.get("status")))
    shortfall = problem.get("resource_shortfall")
    failure = kind(
        str(problem.get("error") or problem.get("detail") or problem.get("title")),
        retry_after_seconds=problem.get("retry_after_seconds"),
        fields_invalid=problem.get("fields_invalid"),
        resource_shortfall=ResourceShortfall(**shortfall) if isinstance(shortfall, dict) else None,
    )
    failure.error_type = str(problem.get("error_type") or problem.get("code") or "HostError")
    failure.problem = problem
    return failure


def _category_of_status(status: Any) -> type[RemoteError]:
    """For what the host refuses before it looks at the call: who has no token, who asks too often."""
    if status in (429, 503):
        return _Transient
    return _Input if isinstance(status, int) and 400 <= status < 500 else _Fatal


def _to_file(value: Any, files: list[str]) -> Any:
    """What can put itself into a file travels as that file's path; the file goes with the call."""
    save = getattr(value, "to_temp_file", None)
    if callable(save):
        path = str(save())
        files.append(path)
        return path
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _to_json(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {BYTES_KEY: base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {name: _to_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(one) for one in value]
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {BYTES_KEY}:
            return base64.b64decode(value[BYTES_KEY])
        return {name: _from_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_from_json(one) for one in value]
    return value
