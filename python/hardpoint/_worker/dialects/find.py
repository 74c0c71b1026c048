"""The program that lists the foreign plugins of an environment: `python find.py`, or `find.py DISTRIBUTION`.

Owns: its command line and its answer, one JSON object on stdout. Must not know: the contracts; each has a
`found` module. Run it with the environment's own interpreter, and as a process that may fail: to describe a
plugin runs that plugin's code. To list them does not.

    find.py                    {"plugins": [{"dialect", "entry" or null, "distribution", ...}]}
    find.py DISTRIBUTION       {"manifest": {...}, "warnings": [...]}     of a plugin that has no entry point
                               {"error": {"type", "message"}}             where its code raises instead

`--mark=TEXT` before them puts a text in front of the answer, by which it is found between what others print.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Answer on stdout; what plugins print meanwhile goes to stderr."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    from hardpoint._worker.dialects.cjm import found as cjm
    from hardpoint._worker.dialects.forgesyte import found as forgesyte

    mark = ""
    if arguments and arguments[0].startswith("--mark="):
        mark = arguments.pop(0)[len("--mark=") :]
    if arguments:
        answer = _described(cjm.described, arguments[0])
    else:
        answer = {"plugins": [*forgesyte.listed(), *cjm.listed()]}
    with open(answer_fd, "w", encoding="utf-8") as out:
        out.write(f"{mark}{json.dumps(answer)}")


def _described(describe: Callable[[str], dict[str, Any]], distribution: str) -> dict[str, Any]:
    try:
        return describe(distribution)
    except (Exception, SystemExit) as error:
        # The traceback is for whoever looks; the answer is one sentence.
        sys.excepthook(type(error), error, error.__traceback__)
        return {"error": {"type": type(error).__name__, "message": str(error)}}


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # This folder has modules named as packages may be; the SDK comes behind what is installed.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    sys.path.append(os.path.normpath(os.path.join(here, "..", "..", "..")))
    main(sys.argv[1:])
