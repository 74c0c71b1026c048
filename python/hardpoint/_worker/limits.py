"""Every limit of the protocol and of the worker, with its reason.

Owns: the numbers. Must not know: who applies them.
"""

from __future__ import annotations

__all__ = [
    "BLOBS_MAX",
    "BLOB_BYTES_MAX",
    "BLOB_FDS_MAX",
    "BLOB_INLINE_BYTES_MAX",
    "CALLS_IN_FLIGHT_MAX",
    "EXIT_BUG",
    "EXIT_HOST_LOST",
    "EXIT_NOT_LOADED",
    "EXIT_VIOLATION",
    "FRAME_BODY_BYTES_MAX",
    "FRAME_HEADER_BYTES_MAX",
    "GPU_DRIVER_SECONDS_MAX",
    "GPU_TORCH_SECONDS_MAX",
    "IDLE_TICKS",
    "INTERRUPT_GAP_SECONDS",
    "LOGS_PER_SECOND_MAX",
    "LOG_LINE_BYTES_MAX",
    "MANIFEST_BYTES_MAX",
    "MARK_SECONDS_MAX",
    "NESTING_MAX",
    "OUTBOX_BYTES_FLUSH",
    "OUTBOX_FRAMES_MAX",
    "OUTPUT_DELAY_SECONDS",
    "PROGRESS_GAP_SECONDS",
    "PROTOCOL_MAX",
    "PROTOCOL_MIN",
    "QUICK_CALL_SECONDS",
    "RECV_BYTES",
    "TICK_SECONDS",
    "TRACEBACK_BYTES_MAX",
]

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1

# How a worker ends by itself; the host reads its cause from these.
EXIT_NOT_LOADED = 3
EXIT_BUG = 70
EXIT_HOST_LOST = 75
EXIT_VIOLATION = 76

# The protocol's own limits: docs/reference/protocol.md.
FRAME_HEADER_BYTES_MAX = 16 << 20
FRAME_BODY_BYTES_MAX = 16 << 20
BLOBS_MAX = 256
BLOB_FDS_MAX = 64
BLOB_INLINE_BYTES_MAX = 64 << 10
BLOB_BYTES_MAX = (2 << 30) - 1
NESTING_MAX = 100
LOG_LINE_BYTES_MAX = 16 << 10
CALLS_IN_FLIGHT_MAX = 1024

# One receive takes several small frames; the buffer grows for a large one and shrinks again.
RECV_BYTES = 256 << 10
# How often the I/O thread looks whether the main thread is stuck in a call.
TICK_SECONDS = 0.01
# After so many ticks without a call (100 ms) the I/O thread sleeps until the next one.
IDLE_TICKS = 10
# Results of pipelined calls share a send, for this long at most.
OUTPUT_DELAY_SECONDS = 0.001
# A tool whose last call took longer than this never keeps a finished result waiting.
QUICK_CALL_SECONDS = 0.0005
# Above this much buffered output is sent whatever else is ready: about one socket buffer.
OUTBOX_BYTES_FLUSH = 64 << 10
# Above this many frames whoever adds one waits for the host to read: 1024 logs plus results.
OUTBOX_FRAMES_MAX = 4096
PROGRESS_GAP_SECONDS = 0.1
LOGS_PER_SECOND_MAX = 1000
# How long a mark waits for room in a pipe that the plugin made non-blocking.
MARK_SECONDS_MAX = 1.0
TRACEBACK_BYTES_MAX = 64 << 10
# Two interrupts of one call keep this distance, so that leaving a call sees one at most.
INTERRUPT_GAP_SECONDS = 0.05
# For what a foreign manifest needs: a driver answers in a fraction of this, or hangs; torch takes a while.
GPU_DRIVER_SECONDS_MAX = 5.0
GPU_TORCH_SECONDS_MAX = 60.0
# Foreign manifests are a few KiB; all of one travels in `ready`.
MANIFEST_BYTES_MAX = 1 << 20
