"""Exceptions that are odd, nested, huge or hostile: each is one typed error within bounds, and the worker goes on."""

from __future__ import annotations

import os
import sys
from typing import Iterator

import pytest
from driver import HERE, Worker

from hardpoint.errors import _BARE, _BY_NAME, category_of

GROUPS = pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")


@pytest.fixture(scope="module", params=[1, 4], ids=["one-at-a-time", "four-at-a-time"])
def odd(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with Worker("odd:Odd", concurrency=request.param) as started:
        yield started


def fail(worker: Worker, kind: str) -> dict:
    """The error, which is the same at the end of a stream."""
    error: dict = worker.call("fail", {"kind": kind})["error"]
    streamed: dict = worker.call("stream", {"kind": kind})["error"]
    assert worker.seen.pop()["item"] == 1
    same = set(error) - {"traceback", "occurred_at"}
    assert {name: error[name] for name in same} == {name: streamed[name] for name in same}
    return error


KINDS = [
    ("liar", "fatal", "Liar"), ("property", "fatal", "Property"), ("texty", "fatal", "Texty"),
    ("torch", "resource", "OutOfMemoryError"), ("torch_cuda", "resource", "OutOfMemoryError"),
    ("no_torch", "fatal", "OutOfMemoryError"), ("chained", "user_input", "ValueError"),
    ("long_chain", "user_input", "ValueError"), ("circle", "user_input", "ValueError"),
    ("custom", "transient", "Custom"), ("fatal", "fatal", "FatalError"),
]  # fmt: skip


@pytest.mark.parametrize("kind,category,name", KINDS)
def test_an_odd_exception_is_a_typed_error(odd, kind, category, name):
    error = fail(odd, kind)
    assert (error["category"], error["error_type"]) == (category, name), error
    assert error["retriable"] is (category != "fatal")
    assert error["message"] and error["original_exc_repr"] and error["traceback"]


@GROUPS
@pytest.mark.parametrize(
    "kind,category",
    [
        ("group_of_one", "transient"),
        ("group_of_one_kind", "transient"),
        ("group_of_many_kinds", "fatal"),
        ("deep_group", "fatal"),
    ],
)
def test_a_group_has_the_category_that_all_its_exceptions_have(odd, kind, category):
    error = fail(odd, kind)
    assert (error["category"], error["error_type"][-14:]) == (category, "ExceptionGroup"), error


def test_every_text_and_list_is_bounded(odd):
    assert len(fail(odd, "long_name")["error_type"]) <= 200
    fields = fail(odd, "many_fields")["fields_invalid"]
    assert len(fields) == 100 and all(len(field) <= 400 for field in fields)
    assert fail(odd, "long_chain")["traceback"].count("link") > 1


def test_fields_that_are_not_what_they_should_be_are_left_out_or_made_fit(odd):
    assert fail(odd, "one_field")["fields_invalid"] == ["page"]
    fields = fail(odd, "odd_fields")["fields_invalid"]
    assert fields[:2] == ["1", "None"] and "Liar" in fields[2]
    assert fail(odd, "huge_number")["resource_shortfall"] is None
    assert fail(odd, "no_number")["resource_shortfall"] is None
    assert fail(odd, "negative")["retry_after_seconds"] is None
    assert fail(odd, "not_a_number")["retry_after_seconds"] is None
    assert fail(odd, "custom")["retry_after_seconds"] == 1.25


def test_a_cause_is_in_the_traceback(odd):
    error = odd.call("cause")["error"]
    assert "KeyError: 'key'" in error["traceback"] and "FatalError: broken" in error["traceback"]


BARE = [
    (FileNotFoundError, "user_input"), (NotADirectoryError, "user_input"), (IsADirectoryError, "user_input"),
    (PermissionError, "user_input"), (KeyError, "user_input"), (ValueError, "user_input"),
    (TypeError, "user_input"), (TimeoutError, "transient"), (ConnectionError, "transient"),
    (InterruptedError, "transient"), (BlockingIOError, "transient"), (OSError, "transient"),
    (MemoryError, "resource"),
    # By their ancestors.
    (BrokenPipeError, "transient"), (FileExistsError, "transient"), (ChildProcessError, "transient"),
    # By nobody.
    (IndexError, "fatal"), (LookupError, "fatal"), (AttributeError, "fatal"), (ImportError, "fatal"),
    (RuntimeError, "fatal"), (RecursionError, "fatal"), (EOFError, "fatal"), (AssertionError, "fatal"),
    (ZeroDivisionError, "fatal"), (NotImplementedError, "fatal"), (SystemExit, "fatal"),
    (KeyboardInterrupt, "fatal"), (GeneratorExit, "fatal"), (Exception, "fatal"), (BaseException, "fatal"),
]  # fmt: skip


@pytest.mark.parametrize("kind,category", BARE)
def test_a_bare_exception_has_the_category_of_its_nearest_ancestor(kind, category):
    assert category_of(kind("x")) == category
    assert category_of(type("Own", (kind,), {})("x")) == category


def test_the_page_has_every_bare_exception():
    page = os.path.join(HERE, "..", "..", "docs", "reference", "errors.md")
    with open(page, encoding="utf-8") as file:
        rows = [line.split("|")[1:3] for line in file if line.startswith("| `")]
    for kind, category in [*_BARE.items(), *((name, category) for (_, name), category in _BY_NAME.items())]:
        name = kind if isinstance(kind, str) else kind.__name__
        assert any(name in names and f"`{category}`" in found for names, found in rows), name


def test_libraries_that_derive_from_the_bare_ones_are_sorted_with_them():
    import asyncio
    import concurrent.futures
    import json
    import socket
    import sqlite3
    import ssl
    import subprocess
    import urllib.error

    for exc, category in [
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), "user_input"),
        (json.JSONDecodeError("x", "", 0), "user_input"),
        (socket.gaierror(1, "x"), "transient"), (ssl.SSLError("x"), "transient"),
        (urllib.error.URLError("x"), "transient"), (asyncio.TimeoutError(), "transient"),
        (concurrent.futures.TimeoutError(), "transient"), (sqlite3.OperationalError("x"), "fatal"),
        (subprocess.CalledProcessError(1, "x"), "fatal"), (asyncio.CancelledError(), "fatal"),
    ]:  # fmt: skip
        assert category_of(exc) == category, exc
