"""Records of the standard `logging` package become log messages.

Owns: the root handler. Must not know: sockets. Loaded once the plugin has imported `logging`.
"""

from __future__ import annotations

import logging

from hardpoint._worker.limits import LOG_LINE_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardpoint._worker.worker import Worker

__all__ = ["install"]


# What every record has; the rest was given as `extra`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _ToHost(logging.Handler):
    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self.setFormatter(logging.Formatter("%(message)s"))

    def createLock(self) -> None:  # noqa: N802 (the name logging calls)
        # Queueing a frame is one atomic step; a lock here could be held where an interrupt hits.
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        if self.filter(record):
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = self.format(record)
            extra = [f"{name}={_short(value)}" for name, value in vars(record).items() if name not in _USUAL]
            if extra:
                message = f"{message} {' '.join(extra)}"
        except Exception as error:
            message = f"{record.msg!r} (could not be formatted: {type(error).__name__})"
        worker = self._worker
        worker.port.log(worker.current_call_id(), _level(record.levelno), record.name, message)


def _short(value: object) -> object:
    # Of a text that is larger than a line nothing more than a line would be left.
    return value[:LOG_LINE_BYTES_MAX] if isinstance(value, (str, bytes)) else value


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def install(worker: Worker) -> None:
    """Send records to the host, from INFO up unless the plugin has set another level."""
    root = logging.getLogger()
    root.addHandler(_ToHost(worker))
    if root.level == logging.WARNING:
        root.setLevel(logging.INFO)
