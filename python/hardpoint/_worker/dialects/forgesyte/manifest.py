"""`manifest.json` beside the plugin's code: found without an import, read within bounds, or made up.

Owns: where it lies, what its fields may be, what stands for it where there is none. Must not know: what
can be called; that is up to the plugin's `tools`.
"""

from __future__ import annotations

import json
import os
import sys

from hardpoint._worker.dialects.forgesyte.schemas import input_types, schema_of, type_words
from hardpoint._worker.dialects.seam import own_text
from hardpoint._worker.limits import MANIFEST_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Manifest", "find", "synthesised"]

NAME = "manifest.json"
_TYPES = ("yolo", "ocr", "custom")
_TEXTS = ("id", "author", "license", "entrypoint", "version", "description")


class Manifest:
    """What a manifest says, and what is wrong with it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.content: dict[str, Any] | None = None
        # As the file has it; the content has a default.
        self.version = ""
        self.error: str | None = None
        self.warnings: list[str] = []
        try:
            self.content = self._checked(_read(os.path.join(folder, NAME)))
        except (OSError, ValueError, RecursionError) as error:
            self.error = f"{NAME}: {error}"

    def _checked(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise ValueError(f"it must hold an object, not a {type(found).__name__}")
        if not own_text(found.get("name")):
            raise ValueError("`name` is missing or not a text")
        for key in _TEXTS:
            if key in found and not isinstance(found[key], str):
                raise ValueError(f"`{key}` must be a text")
        _texts(found, "capabilities", "")
        kind = found.get("type", "custom")
        kind = kind.strip().lower() if isinstance(kind, str) else ""
        if kind not in _TYPES:
            self.warnings.append(f"type {found.get('type')!r} is none of {', '.join(_TYPES)}")
        self.version = own_text(found.get("version"))
        checked = {"version": "1.0.0", "description": "", **found, "type": kind or "custom"}
        if "tools" in found:
            checked["tools"] = _tools(found["tools"])
        return checked

    def tool(self, name: str) -> dict[str, Any]:
        """The manifest's entry of a tool, or an empty one."""
        for tool in (self.content or {}).get("tools", ()):
            if tool["id"] == name:
                found: dict[str, Any] = tool
                return found
        return {}


def _read(path: str) -> Any:
    with open(path, "rb") as file:
        data = file.read(MANIFEST_BYTES_MAX + 1)
    if len(data) > MANIFEST_BYTES_MAX:
        raise ValueError(f"it is larger than {MANIFEST_BYTES_MAX} bytes")
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
    except ValueError as error:
        raise ValueError(f"it is not valid JSON: {error}") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _texts(found: dict[str, Any], key: str, where: str) -> list[str]:
    value = found.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{where}`{key}` must be a list of texts")
    return value


def _tools(found: Any) -> list[dict[str, Any]]:
    """The tools as a list, whether they stand in one or by their names."""
    if isinstance(found, dict):
        found = [{"id": name, **tool} if isinstance(tool, dict) else tool for name, tool in found.items()]
    if not isinstance(found, list):
        raise ValueError("`tools` must be a list or an object")
    tools = []
    for index, tool in enumerate(found):
        where = f"tools[{index}]: "
        if not isinstance(tool, dict):
            raise ValueError(f"{where}it must be an object")
        if not own_text(tool.get("id")):
            raise ValueError(f"{where}`id` is missing or not a text")
        for key in ("title", "description"):
            if key in tool and not isinstance(tool[key], str):
                raise ValueError(f"{where}`{key}` must be a text")
        types = {key: _texts(tool, key, where) for key in ("input_types", "output_types", "capabilities")}
        for key in ("inputs", "outputs"):
            if not isinstance(tool.get(key, {}), (dict, list)):
                raise ValueError(f"{where}`{key}` must be an object or a list")
        inputs = tool.get("inputs") or list(types["input_types"])
        tools.append({"title": "", "description": "", "outputs": {}, **tool, **types, "inputs": inputs})
    return tools


def find(module: str) -> Manifest | None:
    """The manifest beside the file of a module, which is not imported."""
    first, *parts = module.split(".")
    try:
        # A name with dots would import the packages in front of it.
        spec = _spec(first)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or [os.path.dirname(spec.origin or "")])
    for part in parts:
        deeper = [os.path.join(folder, part) for folder in folders]
        folders = [folder for folder in deeper if os.path.isdir(folder)] or folders
    return beside(folders)


def _spec(name: str) -> Any:
    """`importlib.util.find_spec`, without what that module brings along."""
    if name in sys.modules:
        return sys.modules[name].__spec__
    finders = [getattr(finder, "find_spec", None) for finder in sys.meta_path]
    found = (find(name, None, None) for find in finders if find is not None)
    return next((spec for spec in found if spec is not None), None)


def beside(folders: list[str]) -> Manifest | None:
    """The first manifest in one of these folders."""
    for folder in folders:
        if os.path.lexists(os.path.join(folder, NAME)):
            return Manifest(folder)
    return None


def synthesised(
    name: str, version: str, description: str, tools: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The manifest of a plugin that has none, or none that can be used."""
    entries = []
    for tool, metadata in tools.items():
        schema = schema_of(metadata, "input")
        entry = {"id": tool, "title": tool, "description": own_text(metadata.get("description"))}
        words = {"inputs": type_words(schema), "outputs": type_words(schema_of(metadata, "output"))}
        types = {"input_types": input_types(schema), "output_types": [], "capabilities": []}
        entries.append({**entry, **words, **types})
    about = {"id": name, "name": name, "version": version, "description": description}
    return {**about, "type": "custom", "capabilities": [], "tools": entries, "synthesised": True}
