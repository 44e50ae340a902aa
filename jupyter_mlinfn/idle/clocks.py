"""The clocks of this room. Durations are monotonic; others are looked at only to speak to others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..times import iso_of
from .models import Moment


def _since_boot() -> float:
    """Seconds that pass also while the machine sleeps (clock_gettime(2), CLOCK_BOOTTIME)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True)
class Clocks:
    """What time it is, for this server and for others.

    A server whose machine sleeps can neither be used nor warn anybody: that time does not count as
    idle, so the room reckons in monotonic seconds, which do not pass meanwhile. The hub and the
    scheduler do not sleep: what they do is reckoned with `slept`, or from the wall clock.

    Attributes:
        monotonic: seconds of this process, `Moment`s.
        wall: seconds since the epoch; may be set anew at any time.
        boot: seconds that pass also in a sleep of the machine.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    boot: Callable[[], float] = _since_boot

    def now(self) -> Moment:
        return self.monotonic()

    def slept(self) -> float:
        """Seconds of sleep of the machine; only differences mean something."""
        return self.boot() - self.monotonic()

    def epoch(self, moment: Moment) -> float:
        """Seconds since the epoch of a moment, by the wall clock as it is set now."""
        return self.wall() + moment - self.monotonic()

    def moment(self, epoch: float) -> Moment:
        """The moment of a time that others reckon in seconds since the epoch."""
        return self.monotonic() + epoch - self.wall()

    def iso(self, moment: Moment) -> str:
        """As the contract writes times."""
        return iso_of(self.epoch(moment))
