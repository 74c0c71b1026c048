"""The plugin NAME."""

from hardpoint import Context, Plugin, tool


class CLASS(Plugin):
    """Says hello."""

    name = "NAME"
    version = "0.1.0"

    def initialize(self, config: dict) -> None:
        """Load models and the like here, not at import."""

    @tool
    def greet(self, name: str, times: int = 1, *, ctx: Context) -> dict:
        """Greet somebody."""
        for done in range(times):
            ctx.check_cancel()
            ctx.progress((done + 1) / times, f"greeting {done + 1} of {times}")
        return {"greeting": "\n".join([f"Hello, {name}!"] * times)}
