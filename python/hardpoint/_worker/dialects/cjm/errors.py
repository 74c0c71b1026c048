"""Errors of the contract, and what they become for the host.

Owns: how an exception of the plugin's own package is told by its attributes, so that every release of that
package, under whatever name, is understood. Must not know: calls.
"""

from __future__ import annotations

from hardpoint.errors import CATEGORIES, InputError, ResourceShortfall, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PluginConfigError", "adapter_required", "explain", "is_cancelled"]


class PluginConfigError(InputError):
    """A config that the plugin's schema does not allow; every field that is wrong is named."""


def adapter_required(text: str) -> Unavailable:
    """The class has no `execute`: its tasks moved to adapters, which are not run here."""
    return Unavailable(f"cjm_task_adapter_required: {text}")


def explain(exc: BaseException) -> dict[str, Any] | None:
    """The fields of the contract's own exceptions; None for all others."""
    category = getattr(exc, "category", None)
    if not isinstance(category, str) or category not in CATEGORIES or not hasattr(exc, "default_retriable"):
        return None
    return {
        "category": category,
        "retriable": bool(exc.default_retriable),
        "retry_after_seconds": getattr(exc, "retry_after_seconds", None),
        "fields_invalid": getattr(exc, "fields_invalid", None),
        "resource_shortfall": _shortfall(getattr(exc, "resource_shortfall", None)),
    }


def _shortfall(value: Any) -> ResourceShortfall | None:
    if value is None or not all(hasattr(value, name) for name in ("resource", "needed", "available")):
        return None
    return ResourceShortfall(value.resource, value.needed, value.available)


def is_cancelled(exc: BaseException) -> bool:
    """Whether this is the contract's word for a cancelled call, also under the name of its successor."""
    return any(
        cls.__name__ in ("PluginCancelledError", "CapabilityCancelledError") for cls in type(exc).__mro__
    )
