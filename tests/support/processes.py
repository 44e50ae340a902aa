"""What processes are up to."""

from __future__ import annotations

import psutil


def is_at_work(process: psutil.Process) -> bool:
    """Whether it has not ended. Whoever inherits one from its parent may never ask for its end."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
