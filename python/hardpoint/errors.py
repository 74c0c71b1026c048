"""The exceptions a plugin raises on purpose, and the table for those it raises by accident.

Owns: the error categories and which exception belongs to which. Must not know: the wire format.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "FatalError",
    "HardpointError",
    "InputError",
    "ModelMissing",
    "PluginError",
    "ResourceError",
    "ResourceShortfall",
    "ResultNotSerializable",
    "TransientError",
    "Unavailable",
    "category_of",
]

CATEGORIES = ("user_input", "transient", "resource", "fatal")


class HardpointError(Exception):
    """Base of every error of this package except `Cancelled`."""

    category = "fatal"
    retry_after_seconds: float | None = None
    fields_invalid: list[str] | None = None
    resource_shortfall: ResourceShortfall | None = None


class PluginError(HardpointError):
    """An error whose category the plugin chooses itself."""

    def __init__(
        self,
        message: str = "",
        *,
        category: str | None = None,
        retry_after_seconds: float | None = None,
        fields_invalid: list[str] | None = None,
        resource_shortfall: ResourceShortfall | None = None,
    ) -> None:
        super().__init__(message)
        if category is not None:
            if category not in CATEGORIES:
                raise ValueError(f"category {category!r} is none of {', '.join(CATEGORIES)}")
            self.category = category
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds
        if fields_invalid is not None:
            one = isinstance(fields_invalid, str)
            self.fields_invalid = [fields_invalid] if one else list(fields_invalid)  # type: ignore[list-item]
        if resource_shortfall is not None:
            self.resource_shortfall = resource_shortfall


class InputError(PluginError, ValueError):
    """The caller sent something this tool cannot work with. Name the fields in `fields_invalid`."""

    category = "user_input"


class TransientError(PluginError):
    """It may work a moment later; `retry_after_seconds` says when to try again."""

    category = "transient"


class ResourceShortfall:
    """How much of a resource was needed and how much there was."""

    __slots__ = ("available", "needed", "resource")

    def __init__(self, resource: str, needed: float, available: float) -> None:
        self.resource = resource
        self.needed = needed
        self.available = available

    def __repr__(self) -> str:
        return f"ResourceShortfall({self.resource!r}, {self.needed!r}, {self.available!r})"


class ResourceError(PluginError):
    """Memory, a GPU or another resource is short; `resource_shortfall` says by how much."""

    category = "resource"


class FatalError(PluginError):
    """This plugin cannot go on."""

    category = "fatal"


class Unavailable(PluginError):
    """Something that the plugin needs is not on this machine: the host shows UNAVAILABLE, not FAILED."""

    category = "resource"


class ModelMissing(Unavailable):
    """`validate()` raises it when a model file is missing: the host shows UNAVAILABLE, not FAILED."""


class ResultNotSerializable(HardpointError):
    """A result, stream item or hook answer that cannot be sent as a value."""

    category = "fatal"


class Cancelled(BaseException):
    """The call was cancelled.

    It derives from `BaseException`, as `asyncio.CancelledError` does, so that `except Exception:`
    in plugin code does not swallow it. Catch it only to clean up, then raise it again.
    """

    category = "transient"


_BARE: dict[type, str] = {
    FileNotFoundError: "user_input",
    NotADirectoryError: "user_input",
    IsADirectoryError: "user_input",
    PermissionError: "user_input",
    KeyError: "user_input",
    ValueError: "user_input",
    TypeError: "user_input",
    TimeoutError: "transient",
    ConnectionError: "transient",
    InterruptedError: "transient",
    BlockingIOError: "transient",
    OSError: "transient",
    MemoryError: "resource",
}


# Known by name, so that nothing has to be imported to be recognised: (module, class).
_BY_NAME: dict[tuple[str, str], str] = {
    ("torch", "OutOfMemoryError"): "resource",
    ("torch.cuda", "OutOfMemoryError"): "resource",
    # Before Python 3.11 the timeouts of asyncio and concurrent.futures are classes of their own.
    ("asyncio.exceptions", "TimeoutError"): "transient",
    ("concurrent.futures._base", "TimeoutError"): "transient",
}

# Exceptions of a group that are looked at; a group of more is fatal.
_GROUP_MAX = 1000


def category_of(exc: BaseException) -> str:
    """The category of any exception: its own where it has one, else the first hit on its MRO.

    A group has the category that all of its exceptions have; if they differ it is fatal.
    """
    found = set()
    waiting: list[BaseException] = [exc]
    for _ in range(_GROUP_MAX):
        if not waiting:
            break
        one = waiting.pop()
        category = _own_category(one)
        if category is not None:
            found.add(category)
        else:
            waiting += one.exceptions  # type: ignore[attr-defined]
    return found.pop() if len(found) == 1 and not waiting else "fatal"


def _own_category(exc: BaseException) -> str | None:
    """The category of one exception; None for a group, which has none of its own."""
    kind = type(exc)
    if issubclass(kind, (HardpointError, Cancelled)):
        try:
            category = getattr(exc, "category", None)
        except BaseException:
            return "fatal"
        return category if category in CATEGORIES else "fatal"
    for cls in kind.__mro__:
        found = _BARE.get(cls) or _BY_NAME.get((cls.__module__, cls.__name__))
        if found is not None:
            return found
        if cls.__name__ == "BaseExceptionGroup" and cls.__module__ in ("builtins", "exceptiongroup"):
            return None
    return "fatal"
