"""The two networks inside the rapidocr-onnxruntime package: where they lie, whether they are whole.

Only files are taken from that package. Its code needs OpenCV, and that needs libraries of a desktop, which
servers lack.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import onnxruntime

from hardpoint.errors import ModelMissing

PACKAGE = "rapidocr_onnxruntime"
FINDS_LINES = "*_det_infer.onnx"
READS_LINES = "*_rec_infer.onnx"

MODEL_BYTES_MIN = 1_000_000
MODEL_BYTES_MAX = 50_000_000
MODEL_MAGIC = b"\x08"  # the first field of an ONNX file: the version of its format

THREADS_MAX = 4  # more bring little for pictures of one page


def locate_model(pattern: str) -> Path:
    """The file of a network. The package is looked up without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise ModelMissing("the package rapidocr-onnxruntime, which carries the networks, is not installed")
    folder = Path(folders[0]) / "models"
    found = sorted(folder.glob(pattern))
    if not found:
        raise ModelMissing(f"the network is not there: {folder / pattern}")
    return found[0]


def check_model(path: Path) -> None:
    """Tells a real network from a truncated or placeholder file. Reads only its first byte."""
    size_bytes = path.stat().st_size
    if not MODEL_BYTES_MIN <= size_bytes <= MODEL_BYTES_MAX:
        raise ModelMissing(f"the network has an implausible size of {size_bytes} bytes: {path}")
    with path.open("rb") as file:
        if file.read(len(MODEL_MAGIC)) != MODEL_MAGIC:
            raise ModelMissing(f"the network is not an ONNX file: {path}")


def load_model(pattern: str) -> onnxruntime.InferenceSession:
    """A network ready to run, on the processor alone."""
    path = locate_model(pattern)
    check_model(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(THREADS_MAX, os.cpu_count() or 1)
    # Threads that wait for work sleep: others want the processor, too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a type of its own for nearly every kind of damage
        raise ModelMissing(f"the network is damaged: {path}: {error}") from error
