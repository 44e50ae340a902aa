"""Runs one command in a process group that ends with the one who asked for it, however that ends.

``python -I -S pip_guard.py PARENT COMMAND…``: pip starts builds, and builds start compilers; a
worker that is killed can end none of them. The kernel tells this process (prctl(2),
PR_SET_PDEATHSIG), and it ends the group.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys


def _end_group(number: int, frame: object) -> None:
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    pr_set_pdeathsig = 1
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, _end_group)
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        return  # it was gone before we could ask to be told
    code = subprocess.call(sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
