"""What a tool knows about the call it serves, and what it may tell the host meanwhile.

Owns: the `Context` a tool receives. Must not know: sockets and frames; it speaks to a port.
"""

from __future__ import annotations

from time import monotonic

from hardpoint.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Protocol

    from hardpoint._tied import Tied

    class Port(Protocol):
        """The way out: the worker, or a stand-in that collects what it is told."""

        def progress(self, call: Any, fraction: float | None, message: str) -> None: ...
        def log(self, call_id: int | None, level: str, logger: str, message: str) -> None: ...
        def usage(self, call: Any, amounts: dict[str, float]) -> None: ...


__all__ = ["Context"]

LEVELS = ("debug", "info", "warning", "error")


class Context:
    """Injected into a tool's parameter that is annotated `Context` (or named `ctx`)."""

    __slots__ = ("_call", "_port")

    def __init__(self, call: Any, port: Port) -> None:
        self._call = call
        self._port = port

    @property
    def job(self) -> dict[str, Any] | None:
        """The job this call is part of: `job_id`, `stage`, `attempt`; None outside jobs."""
        job: dict[str, Any] | None = self._call.job
        return job

    @property
    def timeout_seconds(self) -> float | None:
        """How long the call may take in all; None without a deadline."""
        timeout_ms = self._call.timeout_ms
        return None if timeout_ms is None else timeout_ms / 1000

    @property
    def deadline(self) -> float | None:
        """When the host ends the call, on the clock of `time.monotonic()`."""
        timeout_ms = self._call.timeout_ms
        return None if timeout_ms is None else self._call.received + timeout_ms / 1000

    @property
    def remaining_seconds(self) -> float | None:
        """How much of the timeout is left, at least 0; None without a deadline."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether the call was cancelled."""
        cancelled: bool = self._call.cancelled
        return cancelled

    def check_cancel(self) -> None:
        """Raise `Cancelled` when the call was cancelled."""
        if self._call.cancelled:
            raise Cancelled("the call was cancelled")

    def on_cancel(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Run `callback` (on a thread of its own) when the call is cancelled.

        Returns a function that takes the callback back. When the call is already cancelled, the
        callback runs at once.
        """
        return self._call.add_callback(callback)  # type: ignore[no-any-return]

    def cancel_signal_to(self, target: Any, grace_seconds: float = 0.5) -> Tied:
        """End a child process when the call is cancelled: `with ctx.cancel_signal_to(process): ...`.

        `target` is a process of `subprocess`, `multiprocessing` or `asyncio`, or a function that stops
        something. A process gets SIGTERM, and SIGKILL after `grace_seconds`; one that leads a group of
        its own (`start_new_session=True`) takes its group along. Leaving the block after a cancel raises
        `Cancelled`; the process is gone by then (one of asyncio soon after). Without a cancel nothing is
        done to it.
        """
        from hardpoint._tied import Tied

        return Tied(self._call, target, grace_seconds)

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Say how far the call is, 0 to 1. At most 10 a second are sent; the last is never lost."""
        if fraction is not None:
            fraction = float(fraction)
            fraction = None if fraction != fraction else min(1.0, max(0.0, fraction))
        self._port.progress(self._call, fraction, str(message))

    def usage(self, **amounts: float) -> None:
        """Account for what the call used, by unit: `ctx.usage(tokens_in=812)`."""
        for unit, amount in amounts.items():
            if isinstance(amount, bool) or not isinstance(amount, (int, float)):
                kind = type(amount).__name__
                raise TypeError(f"usage of {unit!r} must be a number, not {kind}")
            if amount != amount or amount in (float("inf"), float("-inf")):
                raise ValueError(f"usage of {unit!r} must be finite, not {amount!r}")
        self._port.usage(self._call, amounts)

    def log(self, message: str, level: str = "info") -> None:
        """Write a line to the call's log."""
        if level not in LEVELS:
            raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
        self._port.log(self._call.id, level, self._call.tool.name, str(message))

    def debug(self, message: str) -> None:
        """`log` at level debug."""
        self.log(message, "debug")

    def info(self, message: str) -> None:
        """`log` at level info."""
        self.log(message, "info")

    def warning(self, message: str) -> None:
        """`log` at level warning."""
        self.log(message, "warning")

    def error(self, message: str) -> None:
        """`log` at level error."""
        self.log(message, "error")
