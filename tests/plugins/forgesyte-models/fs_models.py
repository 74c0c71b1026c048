"""Plugins that use the models of their old host, which need pydantic, and numpy.

Promise: the names are there, whether they are imported or only written for the type checker.
Expected exit reason: own stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from app.models import PluginMetadata as Metadata
from app.plugins.base import BasePlugin
from pydantic import BaseModel

if TYPE_CHECKING:
    from app.models import AnalysisResult, PluginMetadata


class Words(BaseModel):
    text: str
    confidence: float = 0.5


class Request(BaseModel):
    image_bytes: bytes
    language: str = "eng"


class Ocr(BasePlugin):
    """String handler, pydantic schemas and results, tools set before the constructor of the base."""

    name = "ocr"

    def __init__(self) -> None:
        schema = Request.model_json_schema()
        self.tools = {
            "analyze": {
                "description": "Reads.",
                "input_schema": schema,
                "output_schema": Words.model_json_schema(),
                "handler": "read",
            }
        }
        super().__init__()

    def read(self, args: dict[str, Any]) -> Words:
        if not isinstance(args["image_bytes"], bytes):
            raise ValueError("image_bytes must be bytes")
        return Words(text=args["image_bytes"].decode())

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return self.read(args)


class Mapper:
    """Only analyzes, with the models imported."""

    name = "mapper"

    def metadata(self) -> Any:
        return Metadata(
            name="mapper", description="Maps.", config_schema={"width": {"type": "integer", "default": 64}}
        )

    def analyze(self, image_bytes: bytes, options: Any = None) -> Any:
        from app.models import AnalysisResult as Result

        return Result(text="", confidence=1.0, blocks=[{"n": np.int64(3), "a": np.eye(2)}], surprise=1)


class Motion:
    """Only analyzes, with names that are imported for the type checker alone, and a state."""

    name = "motion"

    def __init__(self) -> None:
        self.frames = 0

    def analyze(self, image_bytes: bytes, options: Any = None) -> AnalysisResult:
        self.frames += 1
        try:
            return AnalysisResult(
                text=f"frame {self.frames}", confidence=(options or {}).get("confidence", 1.0)
            )
        except Exception as error:
            return AnalysisResult(text="", confidence=0.0, error=type(error).__name__)

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(name="motion", description=" ")


class Numbers:
    """Results as numpy gives them."""

    name = "numbers"
    tools = {"numbers": {}}

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return {
            "int": np.int32(7), "float": np.float32(0.5), "nan": np.float64("nan"), "bool": np.bool_(True),
            "array": np.arange(4).reshape(2, 2), "holes": np.array([1.0, np.nan]),
            "day": np.datetime64("2026-01-02"), "models": [Words(text="a")],
        }  # fmt: skip
