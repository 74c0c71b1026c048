"""In a package without `__init__.py`, with relative and absolute imports of its own."""

from __future__ import annotations

from typing import Any

from fs_space.inner.part import ABSOLUTE

from .inner import part


class Plugin:
    name = "space"

    def analyze(self, image_bytes: bytes, options: Any = None) -> Any:
        return {"parts": [part.RELATIVE, ABSOLUTE], "error": None}
