"""The plugin most tests use."""

from hardpoint import Context, Plugin, tool


class Sample(Plugin):
    name = "sample"
    version = "1.0.0"
    description = "A plugin for tests."

    def initialize(self, config: dict) -> None:
        self.config = config

    @tool
    def echo(self, text: str, times: int = 1) -> dict:
        """Say it again."""
        return {"text": text * times}
