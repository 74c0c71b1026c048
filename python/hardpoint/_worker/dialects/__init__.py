"""Dialects: the contracts that plugins were written for, each mapped onto the worker's own.

Owns: which dialects there are. Must not know: what any of them asks of its plugins; each has a module,
which is imported when the host names it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._worker.dialects.seam import Loaded
    from hardpoint._worker.worker import Worker

__all__ = ["DIALECTS", "load"]

DIALECTS = ("native", "cjm", "forgesyte")


def load(plugin: dict[str, Any], worker: Worker) -> Loaded:
    """Load the plugin that `hello` names. Anything may be raised: it runs plugin code."""
    dialect = plugin.get("dialect", "native")
    if dialect not in DIALECTS:
        known = ", ".join(DIALECTS)
        raise ValueError(f"this worker does not know the dialect `{dialect}`; it knows {known}")
    module: Any = __import__(f"{__name__}.{dialect}", fromlist=["load"])
    loaded: Loaded = module.load(plugin, worker)
    for kind in ("reconfigure", "disable"):
        loaded.hooks[kind].alone = True
    return loaded
