"""The program a host starts as a worker: `python -X faulthandler hardpoint_worker.py`.

Owns: where the package lies next to this file, so that nothing needs to be installed. Must not know
anything else: it is compiled anew at every start, so it stays this short.
"""

import os
import sys


def main() -> None:
    """Run the worker; its package is looked up beside this file first, by plugins last."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [here, *(path for path in sys.path if path != here)]
    from hardpoint._worker.start import main as run

    sys.path.append(sys.path.pop(0))
    run()


if __name__ == "__main__":
    main()
