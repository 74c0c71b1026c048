"""What a manifest says the plugin needs, looked at before its code is imported.

Owns: the GPU, packages and model files of a manifest. Must not know: how it was found. This runs in the
worker, which ends when something is missing; torch alone is asked in a process of its own.
"""

from __future__ import annotations

import os
import re
import stat
import sys

from hardpoint._worker.limits import GPU_DRIVER_SECONDS_MAX, GPU_TORCH_SECONDS_MAX
from hardpoint.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hardpoint._worker.dialects.forgesyte.manifest import Manifest

__all__ = ["require"]

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*(?:;.*)?$")
_SPECIFIER = re.compile(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s,]+)\s*$")
# Packages whose import name is another; other builds of them have the same.
_IMPORTED_AS = {
    "opencv-python": "cv2", "opencv-python-headless": "cv2", "opencv-contrib-python": "cv2",
    "pillow": "PIL", "scikit-learn": "sklearn", "pyyaml": "yaml",
}  # fmt: skip


def require(manifest: Manifest) -> None:
    """Raise `Unavailable`, with all that is missing in one sentence."""
    content = manifest.content or {}
    missing = []
    if content.get("requires_gpu") is True and not (_driver_answers() and _torch_sees_cuda()):
        missing.append("GPU (CUDA not available)")
    for path in _model_paths(manifest.folder, content.get("models")):
        if not _is_model(path):
            missing.append(f"Model file: {path}")
    dependencies = content.get("dependencies")
    for entry in dependencies if isinstance(dependencies, list) else ():
        if isinstance(entry, str) and not _satisfied(entry):
            missing.append(f"Python package: {entry}")
    if missing:
        raise Unavailable(f"Missing dependencies: {', '.join(missing)}")


def _succeeds(command: list[str], seconds: float) -> bool:
    import subprocess

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _driver_answers() -> bool:
    return _succeeds(["nvidia-smi"], GPU_DRIVER_SECONDS_MAX)


def _torch_sees_cuda() -> bool:
    question = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 1)"
    return _succeeds([sys.executable, "-c", question], GPU_TORCH_SECONDS_MAX)


def _model_paths(folder: str, models: Any) -> Iterator[str]:
    if isinstance(models, dict):
        models = list(models.values())
        named = True
    else:
        named = False
    for model in models if isinstance(models, list) else ():
        if isinstance(model, dict):
            path, name = model.get("path"), model.get("name")
            if isinstance(path, str):
                yield os.path.join(folder, path)
            elif isinstance(name, str):
                beside = os.path.join(folder, name)
                yield beside if os.path.lexists(beside) else os.path.join(folder, "models", name)
        elif isinstance(model, str):
            beside = os.path.join(folder, model)
            yield beside if named or os.path.lexists(beside) else os.path.join(folder, "models", model)


def _is_model(path: str) -> bool:
    """A file with something in it that is no stand-in for the model."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            start = file.read(64)
    except (OSError, ValueError):
        return False
    if not start or start.startswith(b"version https://git-lfs"):
        return False
    if path.lower().endswith((".pt", ".pth")):
        # A ZIP archive, or the pickle of an older torch.
        return start.startswith((b"PK\x03\x04", b"\x80"))
    return True


def _satisfied(entry: str) -> bool:
    """Whether this is an installed distribution, or the name of something that can be imported."""
    from importlib.util import find_spec

    parsed = _REQUIREMENT.match(entry)
    if parsed is None:
        return False
    name, specifiers = parsed.groups()
    usual = _usual(name)
    version = _installed_version(usual)
    if version is not None:
        return all(_holds(version, one) for one in specifiers.split(",") if one.strip())
    for module in (_IMPORTED_AS.get(usual), name.partition(".")[0], name.replace("-", "_")):
        try:
            if module is not None and find_spec(module.partition(".")[0]) is not None:
                return True
        except (ImportError, ValueError, AttributeError):
            continue
    return False


def _usual(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed_version(usual: str) -> str | None:
    # Older Pythons compare the names of distributions by letter.
    from importlib import metadata

    for distribution in metadata.distributions():
        if _usual(str(distribution.metadata["Name"])) == usual:
            return str(distribution.version)
    return None


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in found.group(1).split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _holds(version: str, specifier: str) -> bool:
    parsed = _SPECIFIER.match(specifier)
    if parsed is None:
        return False
    operator, wanted = parsed.groups()
    if wanted.endswith(".*"):
        same = (version + ".").startswith(wanted[:-1])
        return same if operator == "==" else not same
    have, want = _release(version), _release(wanted)
    if operator == "~=":
        kept = wanted.split(".")[:-1]
        return have >= want and version.split(".")[: len(kept)] == kept
    if operator == "===":
        return version == wanted
    outcomes = {"==": have == want, "!=": have != want, "<": have < want, ">": have > want}
    return outcomes.get(operator, have >= want if operator == ">=" else have <= want)
