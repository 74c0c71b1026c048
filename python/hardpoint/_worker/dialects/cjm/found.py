"""Plugins that are installed in an environment, and their manifests.

Owns: how a distribution of this contract is recognised, and its manifest (format 2.0) as far as its
environment can say it. Must not know: when a plugin is registered, and by whom.
"""

from __future__ import annotations

import sys

from hardpoint._worker.dialects.cjm.config import canonical_hash
from hardpoint._worker.dialects.cjm.environment import worker_env
from hardpoint._worker.tools import ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["described", "listed"]

# What a variable's entry in a manifest has; whether it is there now is for the worker to say.
_DECLARED = ("name", "secret", "required", "label", "description", "default", "options")


def _package(distribution: Any) -> str:
    return str(distribution.metadata["Name"]).replace("-", "_")


def _distributions() -> dict[str, Any]:
    """Those that have a module `meta` beside their code. Only files are looked at."""
    import os
    from importlib import metadata
    from importlib.util import find_spec

    found: dict[str, Any] = {}
    for distribution in metadata.distributions():
        package = _package(distribution)
        if not package.startswith("cjm_") or package in found:
            continue
        spec = find_spec(package)
        folders = (spec.submodule_search_locations if spec is not None else None) or ()
        if any(os.path.isfile(os.path.join(folder, "meta.py")) for folder in folders):
            found[package] = distribution
    return found


def listed() -> list[dict[str, Any]]:
    """The candidates; to know their class, they have to be described."""
    rows = []
    for distribution in _distributions().values():
        about = distribution.metadata
        row = {"dialect": "cjm", "entry": None, "distribution": str(about["Name"])}
        rows.append({**row, "version": str(distribution.version), "summary": str(about["Summary"] or "")})
    return rows


def described(name: str) -> dict[str, Any]:
    """The manifest of one distribution, from its `meta` and from its class."""
    package = name.replace("-", "_")
    distribution = _distributions().get(package)
    if distribution is None:
        raise ToolError(f"distribution `{name}` is not installed here or has no module `{package}.meta`")
    meta = _meta(package)
    warnings: list[str] = []
    cls: Any = getattr(__import__(meta["module"], fromlist=["*"]), meta["class"])
    made = cls()
    schema = made.get_config_schema() if callable(getattr(made, "get_config_schema", None)) else {}
    interface = _interface(meta, cls, warnings)
    summary = str(distribution.metadata["Summary"] or "")
    code = {
        "name": meta["name"],
        "version": meta.get("version") or str(distribution.version),
        "description": meta.get("description") or summary or meta["name"],
        "module": meta["module"],
        "class": meta["class"],
        "interface": interface,
        "taxonomy": _taxonomy(interface),
        "resources": meta.get("resources") or {},
        "config_schema": schema,
        "worker_env": [{key: row[key] for key in _DECLARED} for row in worker_env(cls)],
    }
    install = {
        "python_path": sys.executable,
        "db_path": meta.get("db_path") or "",
        "env_vars": meta.get("env_vars") or {},
        "package_source": str(distribution.metadata["Name"]),
    }
    tracked = {"config_schema_hash": canonical_hash(schema)}
    manifest = {
        "format_version": "2.0",
        "install": install,
        "code": code,
        "drift_tracking": tracked,
        "overrides": {},
    }
    return {"manifest": manifest, "warnings": warnings}


def _meta(package: str) -> dict[str, Any]:
    """What `get_plugin_metadata()` says; it makes folders, in a passing one where none is given."""
    import os
    import tempfile

    module: Any = __import__(f"{package}.meta", fromlist=["*"])
    with tempfile.TemporaryDirectory(prefix="hardpoint-find-") as folder:
        given = "CJM_DATA_DIR" in os.environ
        if not given:
            os.environ["CJM_DATA_DIR"] = folder
        try:
            said: Any = module.get_plugin_metadata()
        finally:
            if not given:
                del os.environ["CJM_DATA_DIR"]
        if not given and str(said.get("db_path") or "").startswith(folder):
            said["db_path"] = ""
    missing = [key for key in ("name", "module", "class") if not said.get(key)]
    if missing:
        raise ToolError(f"`{package}.meta` does not say: {', '.join(missing)}")
    found: dict[str, Any] = said
    return found


def _interface(meta: dict[str, Any], cls: Any, warnings: list[str]) -> str:
    """The interface that the class has, by the name its package gives it if there is one of that name."""
    named = str(meta.get("interface") or "")
    module, _, name = named.rpartition(".")
    try:
        if module and hasattr(__import__(module, fromlist=["*"]), name):
            return named
    except ImportError:
        pass
    own = cls.__module__.partition(".")[0]
    foreign = [base for base in cls.__mro__[1:] if base.__module__.partition(".")[0] not in (own, "builtins")]
    derived = (
        f"{foreign[0].__module__}.{foreign[0].__qualname__}"
        if foreign
        else f"{cls.__module__}.{cls.__qualname__}"
    )
    warnings.append(f"the interface `{named}` does not exist; the class has `{derived}`")
    return derived


def _taxonomy(interface: str) -> dict[str, str]:
    top = interface.partition(".")[0]
    domain = (
        top[len("cjm_") : -len("_plugin_system")]
        if top.startswith("cjm_") and top.endswith("_plugin_system")
        else ""
    )
    return {"domain": domain, "role": interface.rpartition(".")[2], "interface_fqcn": interface}
