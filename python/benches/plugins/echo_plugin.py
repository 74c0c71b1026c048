"""The smallest useful plugin: what is measured is the worker, not its plugin."""

from hardpoint import Plugin, tool


class Echo(Plugin):
    name = "echo"
    version = "1.0.0"

    @tool
    def echo(self, text: str, times: int = 1) -> dict:
        return {"text": text * times}
