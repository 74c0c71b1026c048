"""A worker that is given secrets is closed to others before it has any, and its plugin finds them when it is imported."""

import os
import sys

import pytest
from driver import HERE, Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux closes a process so")


def started(env=None, **hello):
    worker = Worker(hello=False, env=env)
    plugin = {
        "name": "secretive", "version": "1.0.0", "entry": "secretive:Secretive", "dialect": "native",
        "dir": os.path.join(HERE, "plugins"), "instance": "secretive-1", "incarnation": 1,
    }  # fmt: skip
    worker.send({
        "type": "hello", "protocol": {"min": 1, "max": 1}, "host_version": "0.1.0", "plugin": plugin,
        "concurrency": 1, **hello,
    })  # fmt: skip
    assert worker.receive()["type"] == "ready"
    assert worker.request("initialize", config={})["type"] == "result"
    return worker


def test_secrets_are_there_at_the_import_and_in_no_file_that_the_kernel_shows():
    env = {"HARDPOINT_PRIVATE": "secretive-1", "HARDPOINT_TREE": "1-2-3-4"}
    with started(env, secrets={"SECRETIVE_KEY": "planted"}) as worker:
        seen = worker.call("looks")["result"]
        assert (seen["dumpable"], seen["at_import"], seen["private"]) == (0, "planted", None)
        assert seen["core"] in (0, 1)
        with open(f"/proc/{worker.process.pid}/cmdline", "rb") as file:
            title = file.read().rstrip(b"\0").split(b"\0")
        assert title == [b"hardpoint: secretive-1", b"HARDPOINT_TREE=1-2-3-4"]
        if os.geteuid() == 0:
            with open(f"/proc/{worker.process.pid}/environ", "rb") as file:
                assert b"planted" not in file.read()
        else:
            with pytest.raises(PermissionError):
                open(f"/proc/{worker.process.pid}/environ", "rb").close()


def test_a_worker_without_secrets_stays_open_to_its_user():
    with started() as worker:
        seen = worker.call("looks")["result"]
        assert (seen["dumpable"], seen["at_import"]) == (1, None)
