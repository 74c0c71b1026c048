"""What calls say while they run: progress, logs, usage. The port of a `Context`.

Owns: thinning and limits of what is said. Must not know: results.

Plugin threads run this, and an interrupt may hit anywhere in it: it appends to the outbox (one atomic
step) and asks the I/O thread to look; it never sends.
"""

from __future__ import annotations

from time import monotonic

from hardpoint._worker import limits
from hardpoint._worker.frames import pack
from hardpoint._worker.values import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardpoint._worker.calls import Call
    from hardpoint._worker.worker import Worker

__all__ = ["Port", "cut_line"]


class Port:
    """The way from plugin code to the host."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._late: dict[int, Call] = {}
        self._logs_sent = 0
        self._logs_dropped = 0
        self._logs_second = 0
        # In a child that the plugin forked, nothing is said.
        self.forked = False

    def post(self, frame: bytes) -> None:
        """Queue a frame from plugin code; wait when the host does not keep up."""
        if self.forked:
            return
        queue = self._worker.outbox.queue
        queue.append(frame)
        self._worker.reading.kick()
        if len(queue) > limits.OUTBOX_FRAMES_MAX:
            from time import sleep

            while len(queue) > limits.OUTBOX_FRAMES_MAX // 2:
                self._worker.reading.kick()
                sleep(0.001)

    def progress(self, call: Call, fraction: float | None, message: str) -> None:
        """Send progress, at most every 100 ms; the last word waits for its turn."""
        if self._worker.calls.get(call.id) is not call:
            return
        header = {"type": "progress", "id": call.id, "fraction": fraction, "message": message}
        frame = pack(dumps(header))
        now = monotonic()
        if now - call.progress_sent_at >= limits.PROGRESS_GAP_SECONDS:
            call.progress_sent_at = now
            call.progress_late = None
            self._late.pop(call.id, None)
            self.post(frame)
        elif call.progress_late is None:
            call.progress_late = frame
            self._late[call.id] = call
            self._worker.reading.kick()
        else:
            call.progress_late = frame

    def usage(self, call: Call, amounts: dict[str, float]) -> None:
        """Send what a call used."""
        if self._worker.calls.get(call.id) is call:
            self.post(pack(dumps({"type": "usage", "id": call.id, "usage": amounts})))

    def log(self, call_id: int | None, level: str, logger: str, message: str) -> None:
        """Send a log line: at most so many a second, the next one says how many were dropped."""
        second = int(monotonic())
        if second != self._logs_second:
            self._logs_second, self._logs_sent = second, 0
        if self._logs_sent >= limits.LOGS_PER_SECOND_MAX:
            self._logs_dropped += 1
            return
        self._logs_sent += 1
        dropped, self._logs_dropped = self._logs_dropped, 0
        header = {
            "type": "log",
            "id": call_id,
            "level": level,
            "logger": logger,
            "message": cut_line(message),
            "dropped": dropped,
        }
        self.post(pack(dumps(header)))

    def send_late(self, call: Call) -> None:
        """Send the progress that waits for its turn, now."""
        self._late.pop(call.id, None)
        frame, call.progress_late = call.progress_late, None
        if frame is not None:
            call.progress_sent_at = monotonic()
            self._worker.outbox.queue.append(frame)

    def send_due(self) -> bool:
        """Send what has waited long enough; says whether something still waits."""
        if not self._late:
            return False
        due = monotonic() - limits.PROGRESS_GAP_SECONDS
        for call in list(self._late.values()):
            if call.progress_sent_at <= due:
                self.send_late(call)
        return bool(self._late)


def cut_line(text: str) -> str:
    """A log line within its limit."""
    if len(text) * 4 <= limits.LOG_LINE_BYTES_MAX:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= limits.LOG_LINE_BYTES_MAX:
        return text
    mark = f"... [cut: {len(data)} bytes]"
    return data[: limits.LOG_LINE_BYTES_MAX - len(mark)].decode("utf-8", "ignore") + mark
