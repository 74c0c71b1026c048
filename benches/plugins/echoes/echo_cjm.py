"""Gives back what it gets, for the contract of cjm-plugin-system.

With the package of that contract in its environment it derives from the interface, as published plugins do;
without it the class has the methods alone, which is all that the contract asks for.
"""

from __future__ import annotations

from typing import Any

try:
    from cjm_plugin_system.core.interface import PluginInterface
except ImportError:
    PluginInterface = object


class Echo(PluginInterface):
    """What a call costs when its tool costs nothing."""

    @property
    def name(self) -> str:
        """Its name."""
        return "echo-cjm"

    @property
    def version(self) -> str:
        """Its version."""
        return "1.0.0"

    def initialize(self, config: dict[str, Any] | None = None) -> None:
        """It has nothing to make ready."""

    def get_config_schema(self) -> dict[str, Any]:
        """It has no config; the original makes a plugin ready only if there is one."""
        return {"type": "object", "properties": {"unused": {"type": "string", "default": ""}}}

    def get_current_config(self) -> dict[str, Any]:
        """It has no config."""
        return {}

    def execute(self, text: str = "") -> dict[str, Any]:
        """Give it back."""
        return {"text": text}
