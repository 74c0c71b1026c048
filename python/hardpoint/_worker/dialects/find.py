"""The program that lists the foreign plugins of an environment: `python find.py`, or `find.py DISTRIBUTION`.

Owns: its command line and its answer, one JSON object on stdout. Must not know: the contracts; each has a
`found` module. Run it with the environment's own interpreter, and as a process that may fail: to describe a
plugin runs that plugin's code. To list them does not.

    find.py                    {"plugins": [{"dialect", "entry" or null, "distribution", ...}]}
    find.py DISTRIBUTION       {"manifest": {...}, "warnings": [...]}     of a plugin that has no entry point
"""

from __future__ import annotations

import json
import os
import sys

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Answer on stdout; what plugins print meanwhile goes to stderr."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    from hardpoint._worker.dialects.cjm import found as cjm
    from hardpoint._worker.dialects.forgesyte import found as forgesyte

    plugins = [] if arguments else [*forgesyte.listed(), *cjm.listed()]
    answer = cjm.described(arguments[0]) if arguments else {"plugins": plugins}
    with open(answer_fd, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer))


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # This folder has modules named as packages may be; the SDK comes behind what is installed.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    sys.path.append(os.path.normpath(os.path.join(here, "..", "..", "..")))
    main(sys.argv[1:])
