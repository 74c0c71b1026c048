"""Odd values and blobs, both ways."""

from __future__ import annotations

import fcntl
import os
import random

import pytest
from driver import Worker

GOOD = {
    "int_ok": [2**64 - 1, -(2**63)],
    "keys": {"1": "a", "null": "b", "false": "c", "1.5": "d"},
    "looks_like": {"a": {"$value": {"$blob": 0}}, "b": {"$value": {"$value": {"$value": {"$blob": 1}}}},
                   "c": {"$blob": 1, "x": 2}},
    "string_like": ['{"$blob":0}', "$blob"],
    "dataclass": [{"x": 1, "y": 2}, "red"],
    "date": "2025-01-02T03:04:05",
    "path": "/a",
    "tuple": [1, [2]],
    "none": None,
    "digits": "12345678901234567890123",
    "rows": [{"a": [1]}] * 200,
}  # fmt: skip

BAD = {
    "int_high": "integer", "int_low": "integer", "bad_key": "tuple", "surrogate": "surrogate", "deep": "nest deeper",
    "circle": "nest deeper", "unknown": "result.x[1]", "large": "bytes of JSON",
}  # fmt: skip


def memory_file(data: bytes, seals: int = 14) -> int:
    fd = os.memfd_create("test", os.MFD_CLOEXEC | 2)
    os.write(fd, data)
    fcntl.fcntl(fd, 1033, seals)
    return fd


def test_values_arrive_as_the_protocol_says(worker):
    for kind, expected in GOOD.items():
        assert worker.call("value", {"kind": kind}).get("result") == expected, kind


def test_values_that_cannot_be_sent_fail_their_call_only(worker):
    for kind, word in BAD.items():
        error = worker.call("value", {"kind": kind})["error"]
        assert (error["error_type"], error["category"]) == ("ResultNotSerializable", "fatal"), kind
        assert word in error["message"], (kind, error["message"])
    assert worker.call("value", {"kind": "none"})["result"] is None


def test_a_hundred_levels_are_allowed(worker):
    value = worker.call("value", {"kind": "deep_ok"})["result"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 99


def test_not_a_number_becomes_null_and_is_counted(worker):
    assert worker.call("value", {"kind": "nan"})["result"] == {"a": None, "b": [None, 1.5]}
    logs = [message for message in worker.seen if message["type"] == "log"]
    assert logs[0]["level"] == "warning" and logs[0]["message"].startswith("2 non-finite")
    mixed = worker.call("value", {"kind": "mixed"})
    assert mixed["result"] == {"$blob": {"$blob": 0}, "n": None} and mixed["_blobs"] == [b"abc"]


def test_escapes_are_undone_on_the_way_in(worker):
    sent = {"value": {"$value": {"$blob": 0}}}
    assert worker.call("same", sent)["result"] == {"$value": {"$blob": 0}}
    sent = {"value": {"$value": {"$value": {"$value": {"$value": 5}}}}}
    assert worker.call("same", sent)["result"] == sent["value"]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 10 << 20])
def test_bytes_go_both_ways(either, size):
    data = random.Random(size).randbytes(size) if hasattr(random.Random, "randbytes") else os.urandom(size)
    blob = data if size < 65536 else memory_file(data)
    answer = either.call("reverse", {"data": {"$blob": 0}}, blobs=[blob])
    assert answer["result"] == {"$blob": 0}
    assert answer["_blobs"] == [data[::-1]]


def test_a_view_is_mapped(worker):
    answer = worker.call("view", {"data": {"$blob": 0}}, blobs=[memory_file(b"a" * 100_000 + b"z")])
    assert answer["result"] == {"length": 100_001, "first": 97, "last": 122, "mapped": True}
    answer = worker.call("view", {"data": {"$blob": 0}}, blobs=[b"az"])
    assert answer["result"] == {"length": 2, "first": 97, "last": 122, "mapped": False}


def test_nested_bytes_arrive_in_order(worker):
    value = {"value": [{"$blob": 2}, {"a": {"$blob": 0}}, {"$blob": 1}]}
    answer = worker.call("same", value, blobs=[b"one", memory_file(b"2" * 70_000), b"three"])
    assert answer["result"] == [{"$blob": 0}, {"a": {"$blob": 1}}, {"$blob": 2}]
    assert answer["_blobs"] == [b"three", b"one", b"2" * 70_000]


def test_many_blobs_in_one_frame(worker):
    sizes = [70_000] * 64 + [5] * 192
    answer = worker.call("data", {"sizes": sizes})
    assert [len(blob) for blob in answer["_blobs"]] == sizes
    for sizes in ([70_000] * 65, [1] * 257):
        assert worker.call("data", {"sizes": sizes})["error"]["error_type"] == "ResultNotSerializable"


def test_passed_descriptors_are_always_closed(worker):
    before = worker.call("fds")["result"]
    data = b"d" * 70_000
    worker.call("reverse", {"data": {"$blob": 0}}, blobs=[memory_file(data)])
    worker.call("echo", {"text": "a"}, blobs=[memory_file(data)])
    worker.call("nope", {}, blobs=[memory_file(data)])
    worker.call("reverse", {"wrong": {"$blob": 0}}, blobs=[memory_file(data)])
    first = worker.start("sleep", {"seconds": 20})
    dropped = worker.start("reverse", {"data": {"$blob": 0}}, blobs=[memory_file(data)])
    worker.cancel(dropped)
    assert worker.answer(dropped)["error"]["error_type"] == "Cancelled"
    worker.cancel(first, "interrupt")
    worker.answer(first)
    # The pipe that wakes the I/O thread came into being meanwhile.
    assert worker.call("fds")["result"] <= before + 2


def test_an_unsealed_file_ends_the_worker():
    with Worker() as worker:
        worker.start("reverse", {"data": {"$blob": 0}}, blobs=[memory_file(b"x" * 70_000, seals=2)])
        assert worker.wait() == 76


def test_children_inherit_no_socket(worker):
    opened = worker.call("child")["result"]
    assert not [path for path in opened if path.startswith("socket:")]
