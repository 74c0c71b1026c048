"""Gives back what it gets, for the contract of this host."""

from __future__ import annotations

from hardpoint import Plugin, tool


class Echo(Plugin):
    """What a call costs when its tool costs nothing."""

    name = "echo-native"
    version = "1.0.0"

    @tool
    def echo(self, text: str) -> dict:
        """Give it back."""
        return {"text": text}
