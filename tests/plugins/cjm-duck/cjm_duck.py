"""Classes that have the methods of the cjm contract and nothing else of it: no base class, no package.

Promise: every method is optional, and a class without `execute` is refused with the reason.
Expected exit reason: own stop.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any


class Duck:
    """Executes, and keeps what it is told in attributes."""

    def __init__(self) -> None:
        self._cancel_requested = False
        self.calls = []

    def initialize(self, config=None):
        self.calls.append(["initialize", config])

    def get_config_schema(self):
        return {
            "properties": {
                "tag": {"type": "string", "default": "x"},
                "map": {"type": "string", "default": {}},
            }
        }

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        return {"args": list(args), "kwargs": kwargs, "calls": self.calls}


class Worker(Duck):
    """Works as long as it is not asked to stop."""

    supported_actions = ("spin", "tell", "beat")

    def execute(self, action=None, **kwargs):
        return getattr(self, action)(**kwargs)

    def spin(self, name=""):
        self._progress = 0.5
        self._status_message = name
        self._last_api_usage = {name: 1}
        while not self._cancel_requested:
            time.sleep(0.002)
        return "stopped by itself"

    def tell(self, name=""):
        """Threads of two calls at a time do not take each other's place."""

        def speak():
            self._status_message = f"thread of {name}"
            self._last_api_usage = {name: 1}

        thread = threading.Thread(target=speak)
        thread.start()
        thread.join()
        time.sleep(0.05)
        return self._last_api_usage

    def beat(self):
        """A heart that a thread of the object beats, which no call has started."""
        self.wanted = threading.Event()
        self.done.clear()
        self.go.set()
        self.done.wait(20)

    def initialize(self, config=None):
        super().initialize(config)
        self.go, self.done = threading.Event(), threading.Event()
        threading.Thread(target=self._heart, daemon=True).start()

    def _heart(self):
        while True:
            self.go.wait()
            self.go.clear()
            self._progress = 0.9
            self._status_message = "beating"
            self.done.set()


class Stubborn(Worker):
    """Its `cancel` is broken."""

    def cancel(self):
        raise RuntimeError("it cannot stop")

    def spin(self, name=""):
        self._progress = 0.5
        while True:
            time.sleep(0.002)


class Monitor:
    """A monitor as published: its status is an object."""

    def get_config_schema(self):
        return {}

    def initialize(self, config=None):
        self.initialized = config

    def get_system_status(self):
        class Status:
            def to_dict(inner):
                return {"cpu_percent": 1.5, "gpu_type": "None", "initialized": self.initialized}

        return Status()


class OldMonitor(Monitor):
    """Its status comes from `execute`."""

    def get_system_status(self):
        raise NotImplementedError

    def list_processes(self):
        return [type("Process", (), {"to_dict": lambda self: {"pid": 7, "gpu_index": -1}})()]

    def execute(self, command):
        return {"command": command}


class BrokenMonitor(OldMonitor):
    def get_system_status(self):
        raise OSError("no sensor")


class Adapted:
    """Its tasks moved to adapters."""

    def get_config_schema(self):
        return {}

    def execute_stream(self, *args, **kwargs):
        yield self.execute(*args, **kwargs)


class Wants(Duck):
    """Reads its environment when it is made."""

    WORKER_ENV = [
        type("Spec", (), {"name": "DUCK_CACHE", "default": "${PLUGIN_DATA_DIR}/cache of ${PLUGIN_NAME}"}),
        type("Spec", (), {"name": "DUCK_PORT", "default": 8000}),
    ]

    def __init__(self):
        super().__init__()
        self.calls.append({name: value for name, value in os.environ.items() if "D" in name})


class WantsKey(Duck):
    """Cannot do without a secret."""

    WORKER_ENV = [
        type("Spec", (), {"name": "DUCK_KEY", "secret": True, "required": True, "label": "Key"}),
        type("Spec", (), {"name": "DUCK_DEVICE", "default": "cpu", "options": ["cpu", "cuda"]}),
    ]

    def execute(self, *args, **kwargs):
        return {name: os.environ.get(name) for name in ("DUCK_KEY", "DUCK_DEVICE")}


class WantsMore(Duck):
    WORKER_ENV = [type("Spec", (), {"name": "DUCK_CACHE", "default": "${NOWHERE}/x"})]


class Hostile(Duck):
    """Its exceptions are no better than it is."""

    def execute(self):
        class Odd(Exception):
            default_retriable = True

            @property
            def category(self):
                raise RuntimeError("it will not say")

            def __str__(self):
                raise RuntimeError("nor that")

        raise Odd


class Logs(Duck):
    """Logs while it is made, and sets logging up as it likes."""

    def __init__(self):
        import logging

        super().__init__()
        logging.getLogger("early").info("while it is made")
        logging.basicConfig(force=True, level=logging.INFO)

    def initialize(self, config=None):
        import logging

        logging.getLogger("later").info("while it is initialized", extra={"pages": 3})
        super().initialize(config)


class Broken:
    def __init__(self):
        raise SystemExit(4)

    def execute(self):
        pass


class BadSchema:
    def get_config_schema(self):
        return ["tag"]

    def execute(self):
        pass


class Mortal(Duck):
    """Ends its own process, as the kernel would do it, after some items or in the middle of a call."""

    def execute(self, mark="", **kwargs):
        if mark:
            with open(mark, "a") as file:
                file.write("x")
        os.kill(os.getpid(), 9)
        time.sleep(60)

    def execute_stream(self, count=20):
        yield from range(count)
        # What was yielded lies with the host before the end: it takes one item at a time.
        time.sleep(0.2)
        os.kill(os.getpid(), 9)
        time.sleep(60)
