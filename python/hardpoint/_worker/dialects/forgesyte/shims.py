"""The modules that plugins of this contract import from their old host.

Owns: `app.plugins.base`, `app.models`, and the names that plugins use without importing them. Must not
know: how plugins are loaded. The models need pydantic, from the plugin's environment; whoever never asks
for them never needs it.
"""

from __future__ import annotations

import sys
from types import ModuleType

from hardpoint._worker.dialects.forgesyte.base import BasePlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["give_names", "install", "used"]

MODELS = ("AnalysisResult", "PluginMetadata")


def install() -> None:
    """Put the modules where imports find them, before any `app` that is installed."""
    app, plugins = _package("app"), _package("app.plugins")
    base, models = ModuleType("app.plugins.base"), ModuleType("app.models")
    base.BasePlugin = BasePlugin  # type: ignore[attr-defined]
    models.__getattr__ = _model  # type: ignore[method-assign]
    app.plugins, app.models, plugins.base = plugins, models, base  # type: ignore[attr-defined]
    for module in (app, plugins, base, models):
        sys.modules[module.__name__] = module


def _package(name: str) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = []
    return package


def used(cls: type) -> list[str]:
    """The names of the old host that a class derives from or that its module imports."""
    module = sys.modules.get(cls.__module__)
    scope = {} if module is None else vars(module)
    bases = ["BasePlugin"] if BasePlugin in cls.__mro__ else []
    return bases + [name for name in MODELS if name in scope and scope[name] is _made.get(name)]


def give_names(cls: type) -> None:
    """Set the models in the module of a class that uses them without importing them (`TYPE_CHECKING`)."""
    module = sys.modules.get(cls.__module__)
    scope = {} if module is None else vars(module)
    for name in MODELS:
        if name not in scope and _mentions(module, name):
            try:
                scope[name] = _model(name)
            except ImportError:
                return


def _mentions(module: Any, name: str) -> bool:
    """Whether a module's text has this name; without its text it may."""
    file = getattr(module, "__file__", None) or ""
    try:
        with open(file, "rb") as text:
            return not file.endswith(".py") or name.encode() in text.read()
    except OSError:
        return True


_made: dict[str, Any] = {}


def _model(name: str) -> Any:
    """The `__getattr__` of `app.models`."""
    if name not in MODELS:
        raise AttributeError(f"module 'app.models' has no attribute {name!r}")
    if not _made:
        try:
            pydantic: Any = __import__("pydantic")
        except ImportError as error:
            text = f"`app.models.{name}` needs pydantic in the plugin's environment: {error}"
            raise ImportError(text) from error
        _made.update(_models(pydantic))
    return _made[name]


def _models(pydantic: Any) -> dict[str, Any]:
    from typing import Any as Anything
    from typing import Optional

    field, create = pydantic.Field, pydantic.create_model
    objects = list[dict[str, Anything]]

    def words(*default: str) -> Any:
        return (list[str], field(default_factory=lambda: list(default)))

    text = (str, field(..., min_length=1, pattern=r"\S"))
    return {
        "AnalysisResult": create(
            "AnalysisResult",
            __module__="app.models",
            text=(str, ...),
            blocks=(objects, field(default_factory=list)),
            confidence=(float, field(..., ge=0.0, le=1.0)),
            language=(Optional[str], None),
            error=(Optional[str], None),
            extra=(Optional[dict[str, Anything]], None),
        ),
        "PluginMetadata": create(
            "PluginMetadata",
            __module__="app.models",
            name=text,
            description=text,
            version=(str, "1.0.0"),
            inputs=words("image"),
            outputs=words("json"),
            permissions=words(),
            config_schema=(Optional[dict[str, Anything]], None),
        ),
    }
