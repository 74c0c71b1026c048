"""Asks torch whether it can use a GPU, in the plugin's own Python.

Owns: one line of JSON on stdout behind a mark. Must not import anything else of the plugin. Needs Python 3.9.
"""

import json
import os
import sys


def main() -> None:
    """Say what torch says; the arguments are the mark and the plugin's folder."""
    mark, folder = sys.argv[1:3]
    sys.path.insert(0, folder)
    line = json.dumps(_look())
    # Straight to the descriptor: torch, or what it imports, may have put another object in its place.
    os.write(1, f"\n{mark}{line}\n".encode())
    # Not through the interpreter's end, where libraries have been seen to hang.
    os._exit(0)


def _look() -> dict[str, object]:
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except BaseException as error:
        return {"import_error": _words(error)}
    built_for = getattr(getattr(torch, "version", None), "cuda", None)
    says: dict[str, object] = {
        "version": str(getattr(torch, "__version__", "of unknown version")),
        "built_for": None if built_for is None else str(built_for),
    }
    try:
        available, why = bool(torch.cuda.is_available()), ""
        count = int(torch.cuda.device_count()) if available else 0
        if not available:
            # Only then torch says what is in its way.
            torch.cuda.init()
    except BaseException as error:
        available, count, why = False, 0, _words(error)
    return {**says, "available": available, "count": count, "why": why}


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000]


main()
