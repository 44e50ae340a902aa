"""Who runs a job: a lease with a heartbeat, so that a killed server's jobs can be taken up.

filelock's lease is released at once where its holder is seen to be dead (same host, process
gone), and otherwise when its file was not touched for `duration()` seconds of the observer's own
clock, so that clocks that differ between hosts do no harm:
https://py-filelock.readthedocs.io/en/latest/concepts.html
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def duration() -> float:
    """Seconds without a heartbeat after which a job counts as interrupted. All servers that share a
    volume need the same: filelock refuses a lease of another duration."""
    return float(os.environ.get("MLINFN_LEASE_SECONDS") or 30)


class Lease:
    """The lease of one job. Its calls touch the file system: use them from a thread.

    Args:
        file: the lock file, in the job's journal entry.
        on_lost: called from another thread when somebody else took the lease.
    """

    def __init__(self, file: Path, on_lost: Callable[[], None]) -> None:
        # Not at the top: 10 ms that the server's start need not pay for.
        from filelock import SoftFileLease

        self._lease = SoftFileLease(
            file,
            lease_duration=duration(),
            on_compromise=lambda _: on_lost(),
            thread_local=False,
        )

    def take(self) -> bool:
        """Take the lease if nobody holds it; False when somebody does.

        Ask the same object again to find out whether the holder's heart still beats.

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        from filelock import Timeout

        try:
            self._lease.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def give_back(self) -> None:
        # Storage that is gone took the lease with it.
        with suppress(OSError):
            self._lease.release()
