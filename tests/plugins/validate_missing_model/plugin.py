"""Finds in validate that its model is not there, which no manifest could know.

Promise: UNAVAILABLE, not FAILED, with the plugin's own words as the reason.
Expected exit reason: own stop (the host ends a worker that cannot serve).
"""

from hardpoint import Plugin
from hardpoint.errors import ModelMissing


class ValidateMissingModelPlugin(Plugin):
    """Misses a model."""

    name = "validate_missing_model"
    version = "1.0.0"

    def validate(self) -> None:
        raise ModelMissing("the model is not there: weights.onnx")
