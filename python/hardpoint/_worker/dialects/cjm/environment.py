"""The environment variables of the contract: folders, and the defaults a class declares.

Owns: which variables there are and what they are expanded from. Must not know: secrets; whoever starts the
worker puts them into its environment, and what is there already always counts.
"""

from __future__ import annotations

import os

from hardpoint._worker.dialects.seam import own_text
from hardpoint._worker.tools import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["set_defaults", "set_folders", "worker_env"]

# The folder below which plugins make one of their own name, and that folder; by the names of each generation.
_ROOTS = ("CJM_DATA_DIR", "CJM_PLUGIN_DATA_DIR", "CJM_CAPABILITY_DATA_DIR")
_OWN = ("PLUGIN_DATA_DIR", "CAPABILITY_DATA_DIR")
_NAMES = ("PLUGIN_NAME", "CAPABILITY_NAME")


def set_folders(hello: dict[str, Any]) -> None:
    """Say where data and models are, as far as the host has said it."""
    data, models = hello.get("data_dir"), hello.get("models_dir")
    if isinstance(data, str):
        own = os.path.join(data, hello["name"])
        os.makedirs(own, exist_ok=True)
        for name in _ROOTS:
            os.environ.setdefault(name, data)
        for name in _OWN:
            os.environ.setdefault(name, own)
    if isinstance(models, str):
        os.environ.setdefault("CJM_MODELS_DIR", models)


def set_defaults(cls: Any, plugin: str) -> None:
    """Set the variables that have a visible default and no value."""
    for row in worker_env(cls):
        if row["default"] is not None and row["name"] not in os.environ:
            os.environ[row["name"]] = _expanded(row["name"], row["default"], plugin)


def _expanded(variable: str, default: str, plugin: str) -> str:
    """The default with the folders it names in their place."""
    known = {name: os.environ.get(name) for name in ("CJM_MODELS_DIR", *_ROOTS, *_OWN)}
    known.update(dict.fromkeys(_NAMES, plugin))
    parts = default.split("${")
    for index, part in enumerate(parts[1:], 1):
        name, closed, rest = part.partition("}")
        value = known.get(name) if closed else None
        if value is None:
            listed = ", ".join(f"${{{each}}}" for each, found in known.items() if found is not None)
            text = f"the default of `{variable}` names `${{{name}}}`, which is not known; known are {listed}"
            raise ToolError(text)
        parts[index] = value + rest
    return "".join(parts)


def worker_env(cls: Any) -> list[dict[str, Any]]:
    """The variables that the plugin reads at its start, and whether each is there."""
    found = []
    for spec in getattr(cls, "WORKER_ENV", None) or ():
        name, secret = str(spec.name), bool(getattr(spec, "secret", False))
        # A secret that stands in the code is none.
        default = None if secret else getattr(spec, "default", None)
        options = getattr(spec, "options", None)
        found.append(
            {
                "name": name,
                "secret": secret,
                "required": bool(getattr(spec, "required", False)),
                "satisfied": name in os.environ or default is not None,
                "label": own_text(getattr(spec, "label", "")),
                "description": own_text(getattr(spec, "description", "")),
                "default": None if default is None else str(default),
                "options": None if options is None else [str(option) for option in options],
            }
        )
    return found
