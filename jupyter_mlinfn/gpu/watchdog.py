"""Tells when a driver call does not come back.

A sick driver hangs in the kernel, where no signal and no time limit reaches it. So the one thread
that calls it is never waited for: it notes here when a call began, and whoever wants to know how
things are compares with the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

HANGS_AFTER = 2.0
"""Seconds, for a call to a driver that has answered before."""

INIT_HANGS_AFTER = 20.0
"""Seconds, for the first: a driver that nobody used and that runs without persistence mode wakes up its
boards for it, one after the other, a second or two each.
https://docs.nvidia.com/deploy/driver-persistence/index.html"""


class Watchdog:
    """Entered by the thread that calls the driver, asked by all others; takes no lock.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self.patience = HANGS_AFTER

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._began = None

    def waiting(self) -> float:
        """Seconds since the call in progress began; 0 where there is none."""
        began = self._began
        return 0.0 if began is None else max(0.0, self._clock() - began)

    def hangs(self) -> bool:
        return self.waiting() >= self.patience
