"""A plugin of the cjm contract that uses all of it, as one would be published.

Promise: a subclass of the real `PluginInterface` runs unmodified. Its environment needs `cjm-plugin-system`.
Expected exit reason: own stop.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum, IntEnum
from typing import Any, ClassVar, Optional

from cjm_plugin_system.core import errors
from cjm_plugin_system.core.interface import (
    RELOAD_TRIGGER,
    ConfigOption,
    EnvVarSpec,
    FieldOptions,
    PluginInterface,
    collect_plugin_actions,
    plugin_action,
)
from cjm_plugin_system.utils.validation import (
    SCHEMA_ENUM,
    SCHEMA_FORMAT,
    SCHEMA_MAX,
    SCHEMA_MAX_LEN,
    SCHEMA_MIN,
    SCHEMA_MIN_LEN,
    SCHEMA_PATTERN,
    config_to_dict,
    dataclass_to_jsonschema,
    dict_to_config,
)


@dataclass
class WholeConfig:
    """What a user may set."""

    language: str = field(
        default="english", metadata={SCHEMA_ENUM: ["english", "german"], RELOAD_TRIGGER: "tokenizer"}
    )
    model: str = field(default="small", metadata={RELOAD_TRIGGER: "model"})
    beams: int = field(default=5, metadata={SCHEMA_MIN: 1, SCHEMA_MAX: 9})
    tag: str = field(default="ab", metadata={SCHEMA_MIN_LEN: 2, SCHEMA_MAX_LEN: 4, SCHEMA_PATTERN: "[a-z]+$"})
    contact: str = field(default="a@b", metadata={SCHEMA_FORMAT: "email"})
    options: dict = field(default_factory=dict)
    limit: Optional[float] = None
    fail: bool = False


class Color(str, Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@dataclass
class Inner:
    when: datetime
    color: Color


class SavedAudio:
    """A result that saves itself to a file."""

    def to_temp_file(self) -> str:
        handle, path = tempfile.mkstemp(suffix=".wav")
        os.write(handle, b"RIFF")
        os.close(handle)
        return path


class WholePlugin(PluginInterface):
    """Does a bit of everything."""

    config_class = WholeConfig
    WORKER_ENV: ClassVar[list] = [
        EnvVarSpec("WHOLE_KEY", secret=True, required=True, label="Key", default="a secret in the code"),
        EnvVarSpec("WHOLE_DEVICE", default="cpu", options=["cpu", "cuda"]),
    ]

    def __init__(self) -> None:
        self.trace = ["constructor"]
        self.config: Any = None
        self.register_cancel_callback(lambda: self.trace.append("told to stop"))

    @property
    def name(self) -> str:
        return "whole_by_itself"

    @property
    def version(self) -> str:
        return "0.1.0"

    def get_config_schema(self) -> dict:
        return dataclass_to_jsonschema(WholeConfig)

    def get_current_config(self) -> dict:
        return config_to_dict(self.config) if self.config is not None else {}

    def initialize(self, config: Optional[dict] = None) -> None:
        self.trace.append("initialize")
        self._apply_config(config)
        self.tokenizer = object()
        self.weights = object()

    def _apply_config(self, config: Optional[dict]) -> None:
        made = dict_to_config(WholeConfig, config or {})
        if made.fail:
            raise errors.PluginResourceError(
                "no room", resource_shortfall=errors.ResourceShortfall("gpu_vram_mb", 4000, 1000)
            )
        self.config = made

    def _release_tokenizer(self) -> None:
        self.trace.append("release tokenizer")
        raise RuntimeError("it does not let go")

    def _release_model(self) -> None:
        self.trace.append("release model")

    def cleanup(self) -> None:
        print("cleanup ran", flush=True)
        raise RuntimeError("cleanup is broken")

    def prefetch(self) -> None:
        self.report_progress(0.5, "half of the model")
        while os.environ.get("WHOLE_DEVICE") == "slow":
            self.check_cancel()
            time.sleep(0.005)

    def on_enable(self) -> None:
        self.trace.append("on_enable")

    def on_disable(self) -> None:
        self.trace.append("on_disable")

    def get_config_options(self) -> dict:
        if self.config.tag == "oops":
            raise errors.PluginTransientError("the list is not to be had")
        return {"model": FieldOptions([ConfigOption("small", "Small", {"tokens": 10})], {"maxLength": 8})}

    def execute(self, action: str = "say", **kwargs: Any) -> Any:
        return getattr(self, f"_do_{action}")(**kwargs)

    def execute_stream(self, count: int = 3, fail_at: int = -1, **kwargs: Any) -> Any:
        try:
            for number in range(count):
                self.check_cancel()
                if number == fail_at:
                    raise errors.PluginInputError("no more", fields_invalid=["count"])
                self.report_progress(number / count, f"item {number}")
                yield {"number": number}
            self.report_usage({"items": count})
        finally:
            print("stream closed", flush=True)

    @plugin_action("say")
    def _do_say(self, text: str = "hello", **more: Any) -> Any:
        """Say it."""
        return {"text": text, "more": more, "name": self.name}

    @plugin_action("trace")
    def _do_trace(self) -> Any:
        return {"trace": self.trace, "config": self.get_current_config(), "tokenizer": id(self.tokenizer)}

    def _do_fresh(self) -> Any:
        """What the attributes of a call are at its beginning."""
        return {
            "cancel": self._cancel_requested,
            "usage": getattr(self, "_last_api_usage", "absent"),
            "progress": getattr(self, "_progress", "absent"),
            "callbacks": len(getattr(self, "_cancel_callbacks", ())),
        }

    def _do_work(self, steps: int = 4, usage: int = 0) -> Any:
        for step in range(steps):
            self.report_progress(step / steps, f"step {step}")
        self.report_progress(step / steps, f"step {step}")
        self.report_usage({"tokens": usage})
        self.report_usage({"tokens": usage + 1, "pages": 1})
        return steps

    def _do_progress(self, values: list) -> Any:
        for value in values:
            self._progress = value

    def _do_poll(self, name: str = "") -> Any:
        self.report_progress(0.25, f"polling {name}")
        self.report_usage({f"of {name}": 1})
        while True:
            self.check_cancel()
            time.sleep(0.002)

    def _do_callback(self) -> Any:
        gone = threading.Event()
        self.register_cancel_callback(lambda: 1 / 0)
        self.register_cancel_callback(gone.set)
        self.report_progress(0.1, "waiting")
        gone.wait(20)
        return "it was told"

    def _do_child(self) -> Any:
        process = subprocess.Popen(["sleep", "60"])
        with self.cancel_signal_to(process.terminate):
            self.report_progress(0.1, str(process.pid))
            code = process.wait()
        raise RuntimeError(f"the child ended with {code}")

    def _do_threads(self, name: str = "x") -> Any:
        """A thread of the plugin's own speaks for the call that has started it."""

        def speak() -> None:
            self._progress = 0.75
            self._status_message = f"from a thread of {name}"
            self.report_usage({name: 1})

        thread = threading.Thread(target=speak)
        thread.start()
        thread.join()

    def _do_fail(self, kind: str) -> Any:
        raise {
            "input": lambda: errors.PluginInputError("bad page", fields_invalid=["page"]),
            "transient": lambda: errors.PluginTransientError("busy", retry_after_seconds=2.5),
            "resource": lambda: errors.PluginResourceError(
                "no room", resource_shortfall=errors.ResourceShortfall("gpu_vram_mb", 4000, 1000)
            ),
            "fatal": lambda: errors.PluginFatalError("broken"),
            "config": lambda: errors.PluginConfigError("bad key", fields_invalid=["colour"]),
            "disabled": lambda: errors.PluginDisabledError("whole"),
            "timeout": lambda: errors.PluginTimeoutError("whole", 1.2),
            "cancelled": lambda: errors.PluginCancelledError("whole"),
            "oom": lambda: errors.WorkerOOMError("whole", process_returncode=-9),
            "key": lambda: KeyError("node_id"),
            "exit": lambda: SystemExit(3),
            "index": lambda: IndexError("none"),
        }[kind]()

    def _do_result(self, kind: str) -> Any:
        from pathlib import Path

        return {
            "nested": lambda: [
                Inner(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), Color.RED),
                Level.LOW,
            ],
            "naive": lambda: datetime(2026, 1, 2, 3, 4, 5, 6),
            "keys": lambda: {1: "a", None: "b", 1.5: "d"},
            "tuple": lambda: (1, (2, 3)),
            "nan": lambda: {"a": float("nan"), "b": float("inf")},
            "bytes": lambda: {"data": b"\x00\xff"},
            "set": lambda: {"a": [1, {2}]},
            "object": lambda: {"a": {"b": object()}},
            "generator": lambda: (number for number in range(2)),
            "tuple_key": lambda: {(1, 2): 3},
            "saved": SavedAudio,
            "path": lambda: str(Path("x")),
        }[kind]()

    def _do_loop(self) -> Any:
        """No event loop runs where plugin code does, so a plugin may run its own."""
        import asyncio

        async def answer() -> str:
            await asyncio.sleep(0)
            return "ran"

        return asyncio.run(answer())

    def _do_modules(self) -> Any:
        import sys

        heavy = {"fastapi", "uvicorn", "httpx", "worker", "proxy", "manager"}
        return sorted(
            name for name in sys.modules if heavy & set(name.split(".")) and "hardpoint" not in name
        )

    supported_actions: ClassVar[set]


WholePlugin.supported_actions = collect_plugin_actions(WholePlugin) | {
    "work",
    "poll",
    "fail",
    "result",
    "fresh",
}
