"""The last ten minutes, as points; bounded however long the server runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from .models import Sample

KEPT_SECONDS = 600.0

KEPT_POINTS = 300 * 16
"""Of all devices together: ten minutes at one every 2 s, for 16 devices."""


class _Point(NamedTuple):
    seq: int
    moment: float
    device: str
    used: int | None
    utilisation: float | None


class History:
    """Filled by the sampler's thread, read by any.

    Args:
        clock: monotonic, seconds: what is old is told by it.
        wall: seconds since the epoch; looked at when points are read, so that a clock that was
            set anew shifts all of them alike.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        # A page that outlived the last server must not take our numbers for that one's.
        self._numbers = count(int(wall() * 1000))
        self.seq = next(self._numbers)
        self._points: deque[_Point] = deque(maxlen=KEPT_POINTS)
        self._lock = threading.Lock()

    def add(self, device: str, used: int | None, utilisation: float | None) -> None:
        now = self._clock()
        with self._lock:
            self.seq = next(self._numbers)
            self._points.append(_Point(self.seq, now, device, used, utilisation))
            while self._points and self._points[0].moment < now - KEPT_SECONDS:
                self._points.popleft()

    def since(self, seq: int) -> tuple[int, list[Sample]]:
        """Number of the newest, and those after `seq`, oldest first; all, if `seq` is none of ours."""
        offset = self._wall() - self._clock()
        oldest = self._clock() - KEPT_SECONDS
        found: list[Sample] = []
        with self._lock:
            newest = self.seq
            after = seq if seq <= self.seq else 0
            # From the newest back: a poll wants the last one of some hundred.
            for point in reversed(self._points):
                if point.seq <= after or point.moment < oldest:
                    break
                found.append(
                    Sample(point.seq, point.moment + offset, point.device, point.used, point.utilisation)
                )
        found.reverse()
        return newest, found

    def wall(self, moment: float) -> float:
        """Seconds since the epoch, of a monotonic moment."""
        return moment + self._wall() - self._clock()

    def newest(self, device: str) -> tuple[float, int | None] | None:
        """Age in seconds of the last reading of a device, and the bytes used."""
        with self._lock:
            for point in reversed(self._points):
                if point.device == device:
                    return self._clock() - point.moment, point.used
        return None
