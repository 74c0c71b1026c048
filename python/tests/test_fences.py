"""The fences themselves, under interrupts from another thread at every moment."""

from __future__ import annotations

import random
import signal
import sys
import threading
from typing import Any

from hardpoint._worker.calls import Call
from hardpoint._worker.interrupts import MainFence, ThreadFence
from hardpoint.errors import Cancelled

ROUNDS = 200_000


def work(steps: int) -> int:
    total = 0
    for step in range(steps):
        total += step
    return total


def hammer(fence: Any, inside: Any, seed: int) -> dict[str, int]:
    """Short calls on this thread; another interrupts what it saw inside, a random moment later."""
    counts = {"cancelled": 0, "done": 0}
    calls = [Call(number, None, {}) for number in range(ROUNDS)]
    meant: set[int] = set()
    stop = threading.Event()
    rng = random.Random(seed)
    steps = [rng.randrange(60) for _ in calls]

    def shoot() -> None:
        rng = random.Random(seed + 1)
        while not stop.is_set():
            call = inside()
            if call is not None and call.id not in meant:
                meant.add(call.id)
                work(rng.randrange(40))
                fence.interrupt(call)

    thread = threading.Thread(target=shoot)
    interval = sys.getswitchinterval()
    # The threads change places after nearly every step.
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for number, call in enumerate(calls):
            try:
                fence.run(call, work, steps[number])
                counts["done"] += 1
            except Cancelled:
                counts["cancelled"] += 1
                assert number in meant
            # Outside the fence nothing may be raised: this loop itself is the witness.
            work(5)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    return counts


def test_a_signal_hits_its_own_call_or_nothing():
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    before = signal.getsignal(signal.SIGINT)
    fence = MainFence()
    fence.install()
    try:
        counts = hammer(fence, lambda: fence.current, seed)
    finally:
        signal.signal(signal.SIGINT, before)
    print(counts)
    assert counts["done"] and counts["cancelled"] and sum(counts.values()) == ROUNDS


def test_an_asynchronous_exception_hits_its_own_call_or_nothing():
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    outcome: list[Any] = []

    def run() -> None:
        try:
            fence = ThreadFence()
            outcome.append(hammer(fence, lambda: fence.call, seed))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    print(outcome)
    assert isinstance(outcome[0], dict) and sum(outcome[0].values()) == ROUNDS
