"""Raises in validate: an ordinary error, or, when its config says so, a missing model.

Promise: validate is a required step. An error there means FAILED, a missing model UNAVAILABLE.
Expected exit reason: own stop (the host ends a worker that cannot serve).
"""

from typing import Any

from hardpoint import Plugin
from hardpoint.errors import ModelMissing


class ValidateErrorPlugin(Plugin):
    """Raises in validate."""

    name = "validate_error"
    version = "1.0.0"

    def initialize(self, config: dict[str, Any]) -> None:
        self._missing_model = bool(config.get("missing_model"))

    def validate(self) -> None:
        if self._missing_model:
            raise ModelMissing("the model is not there: weights.onnx")
        raise RuntimeError("validate gives up")
