"""Says what it was configured with, and refuses what it cannot do.

Promise: a change of the configuration is seen by the next call, or by none. Expected exit reason: own stop.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from hardpoint import RELOAD_TRIGGER, InputError, Plugin, tool


@dataclass
class Server:
    """A part of the configuration that has parts of its own."""

    host: str = "localhost"
    port: int = field(default=80, metadata={"minimum": 1, "maximum": 65535})


@dataclass
class Config:
    """What can be set."""

    language: str = field(default="eng", metadata={"title": "Language", "pattern": "^[a-z]{3}$"})
    dpi: int = field(default=300, metadata={"minimum": 72, "maximum": 1200})
    model: str = field(default="small", metadata={"enum": ["small", "large"], RELOAD_TRIGGER: "model"})
    server: Server = field(default_factory=Server)


class Configured(Plugin):
    """Loads a model when it has none."""

    name = "configured"
    version = "1.0.0"
    Config = Config

    def __init__(self) -> None:
        self._config = Config()
        self._model: str | None = None
        self._loads = 0

    def initialize(self, config: Config) -> None:
        if config.language == "xxx":
            raise RuntimeError("there is no such language")
        if config.language == "yyy":
            raise InputError("not spoken here", fields_invalid=["language"])
        if config.language == "zzz":
            time.sleep(0.5)
        self._config = config
        if self._model is None:
            self._model, self._loads = config.model, self._loads + 1

    def _release_model(self) -> None:
        self._model = None

    def config_options(self) -> dict[str, Any]:
        return {"language": {"options": [{"value": "deu", "label": "German"}], "constraints": {}}}

    @tool
    def given(self) -> dict[str, Any]:
        """What it goes by."""
        return {**asdict(self._config), "loaded": self._model, "loads": self._loads}

    @tool
    def nap(self, seconds: float) -> str:
        """Keep the worker busy."""
        time.sleep(seconds)
        return self._config.language
