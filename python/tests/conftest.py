"""Fixtures: a worker with the sample plugin, ended after its test."""

from __future__ import annotations

from typing import Iterator

import pytest
from driver import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@pytest.fixture(params=[1, 4], ids=["one-at-a-time", "four-at-a-time"])
def either(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """Both ways to run calls."""
    with Worker(concurrency=request.param) as started:
        yield started
