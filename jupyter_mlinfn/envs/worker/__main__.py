"""Start of a worker: safety first, then requests one after the other.

Run as ``python -I -S __main__.py [--files] FOLDER…``: with ``--files`` it measures and clears (no
package manager is loaded), without it solves and installs. Isolated from the user's site, startup files and
environment variables of Python; the folders are where the server itself found its packages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def _die_with_parent() -> None:
    """Be killed when the server dies, however it dies (prctl(2), PR_SET_PDEATHSIG)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def _be_first_to_go() -> None:
    """When memory runs out, the kernel is to take the worker, not the server or a notebook."""
    try:
        with open("/proc/self/oom_score_adj", "w") as out:  # noqa: PTH123 - before any import
            out.write("1000")
    except OSError:
        return  # no /proc, or forbidden: then there is nothing to be done


def main() -> None:
    _die_with_parent()
    _be_first_to_go()
    files = sys.argv[1:2] == ["--files"]
    sys.path[1:1] = sys.argv[2:] if files else sys.argv[1:]
    # Messages own stdout; what a library prints must not get between them.
    messages = os.dup(1)
    os.dup2(2, 1)
    if files:
        from jupyter_mlinfn.envs.space.work import serve
    else:
        from jupyter_mlinfn.envs.worker.loop import serve
    serve(messages)


if __name__ == "__main__":
    main()
