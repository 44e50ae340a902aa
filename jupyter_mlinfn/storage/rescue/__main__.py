"""The worker process: one request on stdin, lines of JSON on stdout, the last of which is the answer.

Run as ``python -I -S -X utf8 __main__.py PARENT FOLDER``: the process that it must not survive, and where
the package is. Messages: ``{"type": "ready"}`` before the request is read, ``{"type": "progress", …}``, then
``{"type": "result", "result": …}`` or ``{"type": "error", "error": …}``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def _die_with(parent: int) -> None:
    """Be killed when the server dies, however it dies (prctl(2), PR_SET_PDEATHSIG)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # It died before.


def main() -> None:
    _die_with(int(sys.argv[1]))
    sys.path.insert(1, sys.argv[2])
    # Messages own stdout; what a library prints must not get between them.
    messages = os.dup(1)
    os.dup2(2, 1)
    from jupyter_mlinfn.storage.rescue.serving import serve

    serve(messages)


if __name__ == "__main__":
    main()
