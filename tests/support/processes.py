"""What processes are up to."""

from __future__ import annotations

from contextlib import suppress

import psutil

from .nursery import command_of


def is_at_work(process: psutil.Process) -> bool:
    """Whether it has not ended. Whoever inherits one from its parent may never ask for its end."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children_with(word: str, pid: int | None = None, *, recursive: bool = False) -> list[psutil.Process]:
    """Children in whose command there is a word like it; one that ends just now is none.

    Args:
        pid: whose; None: this process's.
        recursive: also their children's.
    Raises:
        psutil.NoSuchProcess: whose they are is gone.
    """
    found = []
    for child in psutil.Process(pid).children(recursive=recursive):
        with suppress(psutil.NoSuchProcess):
            if any(word in each for each in command_of(child)):
                found.append(child)
    return found
