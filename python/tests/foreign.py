"""Where the plugins of foreign contracts lie, and environments that hold what they need.

Owns: the folders and the throw-away environments. Must not know: the contracts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from driver import HERE

PLUGINS = os.path.normpath(os.path.join(HERE, "..", "..", "tests", "plugins"))
# How pip says that it reached nobody.
UNREACHED = ("Retrying (", "Connection", "Network is unreachable", "timed out", "Name or service not known")


FIND = os.path.join(os.path.dirname(HERE), "hardpoint", "_worker", "dialects", "find.py")


def find(python: str, *arguments: str, env: dict[str, str] | None = None) -> Any:
    """What the environment's own interpreter says of its plugins."""
    done = subprocess.run(
        [python, "-I", FIND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], **(env or {})},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def folder(name: str) -> str:
    return os.path.join(PLUGINS, name)


def environment(place: Path, *packages: str, alone: bool = False) -> str:
    """The interpreter of a new environment with these packages; skips when the registry cannot be reached."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=300)
    python = str(place / "bin" / "python")
    if not packages:
        return python
    options = ["--no-deps"] if alone else []
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    done = subprocess.run(
        [*command, *options, *packages],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    if done.returncode and any(word in done.stdout for word in UNREACHED):
        pytest.skip("the package registry cannot be reached")
    assert done.returncode == 0, done.stdout
    return python
