"""Plugins that are installed in an environment: the entry points of this contract's group.

Owns: their listing, without importing any. Must not know: how a plugin is loaded.
"""

from __future__ import annotations

import os
import sys

from hardpoint._worker.tools import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["GROUP", "Found", "installed", "listed", "resolved"]

GROUP = "forgesyte.plugins"


class Found:
    """Where a plugin's class is, and what its packaging calls it."""

    def __init__(self, entry: str, name: str = "", distribution: Any = None) -> None:
        # `module:Class`.
        self.entry = entry
        self.entry_point = name
        about: Any = None if distribution is None else distribution.metadata
        self.distribution: str = "" if about is None else str(about["Name"] or "")
        self.version: str = "" if distribution is None else str(distribution.version or "")
        self.summary: str = "" if about is None else str(about["Summary"] or "")

    def labels(self) -> dict[str, str]:
        """The names that are no identity."""
        return {
            "entry_point": self.entry_point,
            "distribution": self.distribution,
            "distribution_version": self.version,
        }


def installed() -> list[Found]:
    """Every entry point of the group, in the order of the path."""
    if not _named_somewhere():
        return []
    from importlib import metadata

    found = []
    for distribution in metadata.distributions():
        for point in distribution.entry_points:
            if point.group == GROUP:
                value = point.value.partition("[")[0].replace(" ", "")
                found.append(Found(value, point.name, distribution))
    return found


def _named_somewhere() -> bool:
    """Whether an environment can have such entry points at all.

    Reading about all of its packages takes as much memory as the interpreter itself, and keeps it.
    """
    group = GROUP.encode()
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:
            # An archive: it has to be opened to know.
            return True
        except OSError:
            continue
        for name in names:
            if not name.endswith((".dist-info", ".egg-info", ".egg")):
                continue
            about = os.path.join(name, "EGG-INFO") if name.endswith(".egg") else name
            try:
                with open(os.path.join(folder, about, "entry_points.txt"), "rb") as file:
                    if group in file.read():
                        return True
            except OSError:
                continue
    return False


def listed() -> list[dict[str, Any]]:
    """The same as plain rows."""
    rows = []
    for each in installed():
        row = {"dialect": "forgesyte", "entry": each.entry, "entry_point": each.entry_point}
        about = {"distribution": each.distribution, "version": each.version, "summary": each.summary}
        rows.append({**row, **about})
    return rows


def resolved(entry: str) -> Found:
    """What `entry` names: `module:Class`, or an entry point as `name` or `name@distribution`."""
    there = installed()
    if ":" in entry:
        return next((each for each in there if each.entry == entry), Found(entry))
    name, _, distribution = entry.partition("@")
    fit = [each for each in there if each.entry_point == name and distribution in ("", each.distribution)]
    if len(fit) > 1:
        choices = ", ".join(sorted(f"`{each.entry_point}@{each.distribution}`" for each in fit))
        raise ToolError(f"entry point `{entry}` is in several distributions; name one: {choices}")
    if fit:
        return fit[0]
    listed = ", ".join(sorted({each.entry_point for each in there})) or "none"
    raise ToolError(f"this environment has no entry point `{entry}` in `{GROUP}`; it has: {listed}")
