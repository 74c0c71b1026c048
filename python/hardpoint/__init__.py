"""The names a plugin author imports.

Owns: the public surface of the package. Must not know: the worker that runs a plugin. It stays light,
because every plugin pays for it at start: nothing here may import `typing`, `asyncio` or `inspect`.
"""

from hardpoint._context import Context
from hardpoint._plugin import RELOAD_TRIGGER, Plugin, tool
from hardpoint.errors import (
    Cancelled,
    FatalError,
    HardpointError,
    InputError,
    ModelMissing,
    PluginError,
    ResourceError,
    ResourceShortfall,
    ResultNotSerializable,
    TransientError,
    Unavailable,
)

__version__ = "0.1.0"

__all__ = [
    "RELOAD_TRIGGER",
    "Cancelled",
    "Context",
    "FatalError",
    "HardpointError",
    "InputError",
    "ModelMissing",
    "Plugin",
    "PluginError",
    "ResourceError",
    "ResourceShortfall",
    "ResultNotSerializable",
    "TransientError",
    "Unavailable",
    "__version__",
    "tool",
]
