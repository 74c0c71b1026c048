"""The worker as a process: its end, its output, its name, its children."""

from __future__ import annotations

import os
import time

import pytest
from driver import Gone, Worker, wait_until


def test_it_exits_when_the_host_is_gone(either):
    either.socket.close()
    assert either.wait() == 75


@pytest.mark.parametrize("tool", ["sleep", "spin", "nap", "block_loop"])
def test_it_exits_when_the_host_is_gone_while_a_call_runs(either, tool):
    either.start(tool, {"seconds": 60})
    while either.request("ping")["calls_running"] == 0:
        pass
    begin = time.monotonic()
    either.socket.close()
    assert either.wait() == 75
    assert time.monotonic() - begin < 5


def test_shutdown_ends_it_with_zero(either):
    either.start("sleep", {"seconds": 60})
    either.send({"type": "shutdown"})
    assert either.wait() == 0


def test_half_a_frame_and_the_end_is_a_violation(worker):
    worker.socket.sendall(b"\0\0\0\x09\0\0\0\0{")
    worker.socket.shutdown(1)
    assert worker.wait() == 76


def test_output_belongs_to_the_plugin(either):
    assert either.call("write")["type"] == "result"
    lines = either.text().split("\n")
    assert {"from print", "from write", "from stderr"} <= set(lines)
    assert "half a frame" not in either.text()
    assert either.call("echo", {"text": "a"})["type"] == "result"


def test_ps_shows_the_instance(worker):
    with open(f"/proc/{worker.process.pid}/cmdline", "rb") as file:
        assert file.read().split(b"\0")[0] == b"hardpoint: sample-1"
    with open(f"/proc/{worker.process.pid}/comm") as file:
        assert file.read() == "sample-1\n"


def test_a_forked_child_does_not_hold_the_connection(worker):
    pid = worker.call("fork_sleeper")["result"]
    os.kill(worker.process.pid, 9)
    with pytest.raises((Gone, ConnectionResetError)):
        while True:
            worker.receive()
    os.kill(pid, 9)


def test_it_sleeps_without_waking_up(worker):
    worker.call("sleep", {"seconds": 0.05})

    def switches() -> int:
        total = 0
        for task in os.listdir(f"/proc/{worker.process.pid}/task"):
            with open(f"/proc/{worker.process.pid}/task/{task}/status") as file:
                total += sum(int(line.split()[1]) for line in file if "voluntary_ctxt" in line)
        return total

    def still() -> bool:
        before = switches()
        time.sleep(0.2)
        return switches() == before

    wait_until(still, "an idle worker that does not wake up")


def test_signals_of_life_come_during_a_slow_import(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    with Worker("slow:Slow", str(tmp_path), initialize=False) as worker:
        while worker.request("ping")["calls_running"] == 0:
            pass
        worker.socket.close()
        assert worker.wait() == 75


def test_threads_of_calls_have_names():
    with Worker(concurrency=2) as worker:
        assert worker.call("thread_name")["result"].startswith("hardpoint-call-")
