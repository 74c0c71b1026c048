"""The same work on RQ: no-op jobs, handed in one by one by many at once, on workers that do not fork.

Prints one JSON object with rates and medians. `cargo xtask bench -- jobs` runs it with a Redis of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import threading
import time

from redis import Redis
from rq import Queue, SimpleWorker, Worker

KEPT_SECONDS = 3600


def nothing() -> None:
    """Return at once."""


def now() -> int:
    """The clock that all processes of a machine share, in nanoseconds."""
    return time.monotonic_ns()


def work(port: int, fork: bool) -> None:
    """Be a worker until somebody ends this process."""
    kind = Worker if fork else SimpleWorker
    connection = Redis(port=port)
    kind([Queue(connection=connection)], connection=connection).work(logging_level="WARNING")


def many(port: int, count: int, submitters: int) -> float:
    """Jobs a second, from the first that is handed in to the last that is finished."""
    queue = Queue(connection=Redis(port=port))
    finished = queue.finished_job_registry
    before = finished.get_job_count(cleanup=False)

    def submit() -> None:
        own = Queue(connection=Redis(port=port))
        for _ in range(count // submitters):
            own.enqueue("rq_jobs.nothing", result_ttl=KEPT_SECONDS)

    threads = [threading.Thread(target=submit) for _ in range(submitters)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while finished.get_job_count(cleanup=False) - before < count // submitters * submitters:
        time.sleep(0.005)
    return count // submitters * submitters / (time.monotonic() - begun)


def one_at_a_time(port: int, count: int) -> dict[str, float]:
    """Medians in milliseconds, from handing in to: acknowledged, started, finished."""
    queue = Queue(connection=Redis(port=port))
    acknowledged, started, finished = [], [], []
    for _ in range(count):
        begun = time.monotonic_ns()
        job = queue.enqueue("rq_jobs.now", result_ttl=KEPT_SECONDS)
        acknowledged.append(time.monotonic_ns() - begun)
        result = job.latest_result(timeout=60)
        finished.append(time.monotonic_ns() - begun)
        started.append(result.return_value - begun)
    names = ("acknowledged_ms", "started_ms", "finished_ms")
    times = (acknowledged, started, finished)
    return {name: statistics.median(some) / 1e6 for name, some in zip(names, times)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--submitters", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--fork", action="store_true", help="workers as they are by default: a process for each job"
    )
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=work, args=(args.port, args.fork), daemon=True) for _ in range(args.workers)
    ]
    for worker in workers:
        worker.start()
    connection = Redis(port=args.port)
    while Worker.count(connection=connection) < args.workers:
        time.sleep(0.01)
    one_at_a_time(args.port, 5)
    found = one_at_a_time(args.port, min(args.jobs // 10, 200))
    found["jobs_per_second"] = many(args.port, args.jobs, args.submitters)
    for worker in workers:
        worker.kill()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
