"""Looks whether packages are there, in the plugin's own Python, without importing any of them.

Owns: one line of JSON on stdout behind a mark. Must not judge versions. Needs Python 3.9, and nothing but
the standard library.
"""

import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import re
import sys

# Version and list of files of each distribution, by normal name.
Installed = dict[str, tuple[str, str]]

# What the list of files of a distribution is called: of a wheel, of an egg.
FILES = ("RECORD", "SOURCES.txt", "installed-files.txt")


def main() -> None:
    """Answer; the arguments are the mark, the plugin's folder and the names as JSON."""
    mark, folder, asked = sys.argv[1:4]
    sys.path.insert(0, folder)
    names: dict[str, list[str]] = json.loads(asked)
    distributions = _distributions()
    versions = {name: distribution.version for name, distribution in distributions.items()}
    specs = {name: _find(name) for name in names["modules"]}
    # Lists of files are long, so they are only read where they are asked for.
    wanted = [name for name, spec in specs.items() if spec and (name in names["owned"] or _is_folder(spec))]
    files = {name: _files(found) for name, found in distributions.items()} if wanted else {}
    modules: dict[str, object] = {}
    for name, spec in specs.items():
        owners = [owner for owner, text in files.items() if name in wanted and _brings(text, name)]
        # A folder without code can be "imported", too. It counts if something that is installed put it there.
        found = spec is not None and (bool(owners) or not _is_folder(spec))
        modules[name] = {"found": found, "distributions": {owner: versions[owner] for owner in owners}}
    answer = {
        "distributions": {name: versions[name] for name in names["distributions"] if name in versions},
        "modules": modules,
    }
    # Straight to the descriptor: what a .pth file started may have put another object in its place.
    os.write(1, f"\n{mark}{json.dumps(answer)}\n".encode())
    os._exit(0)


def _distributions() -> dict[str, importlib.metadata.Distribution]:
    """Every distribution; the first on the path counts, as for an import."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for distribution in importlib.metadata.distributions():
        try:
            name, version = distribution.metadata["Name"], distribution.version
        except Exception:
            continue
        # A folder that a broken installation left has no name.
        if isinstance(name, str) and isinstance(version, str):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution)
    return found


def _find(name: str) -> "importlib.machinery.ModuleSpec | None":
    """Finds the first word as an import does, then each next word in the folders of the one before it.

    The words are looked up one by one because finding `a.b` at once would import `a`.
    """
    first, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(first)
        for word in rest:
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = importlib.machinery.PathFinder.find_spec(word, list(spec.submodule_search_locations))
    except Exception:
        return None
    return spec


def _is_folder(spec: importlib.machinery.ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


def _files(distribution: importlib.metadata.Distribution) -> str:
    try:
        texts = [distribution.read_text(name) or "" for name in FILES]
        modules = (distribution.read_text("top_level.txt") or "").split()
    except Exception:
        return ""
    return "\n".join([*texts, *(f"{module}/" for module in modules)])


def _brings(files: str, name: str) -> bool:
    """Whether a list of files has the module: a package, a file or a binary extension, or below `src`."""
    place = re.escape(name.replace(".", "/"))
    return re.search(rf"^(?:src/)?{place}(?:/|\.py\b|\.(?:[^/\n]*\.)?(?:so|pyd)\b)", files, re.M) is not None


main()
