"""What the hub is told of this server, and what it has taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from .clocks import Clocks
from .deadlines import HubKnows
from .hub import FURTHEST_AHEAD
from .models import Moment
from .policy import Culler
from .report import Unanswered

TELL_EVERY = 600.0
"""Seconds after which the hub is told again what it knows: to notice that it does not listen any more."""

FURTHEST = FURTHEST_AHEAD.total_seconds()

RENEW_BEFORE = 10 * 60.0
"""Seconds before what was told ends at which it is told again."""


class Hub(Protocol):
    """The hub's API with this server's own token (`report.ActivityReport`)."""

    async def post_activity(self, epoch: float) -> bool:
        """Whether the hub has taken it; never raises."""

    async def read_own_server(self) -> tuple[float | None, float | None] | None:
        """Last activity and start, seconds since the epoch; None where the token may not, or the
        hub does not answer."""

    async def stop_own_server(self) -> bool:
        """Whether the hub is stopping it; never raises."""


class HubSide:
    """Lives on the event loop's thread.

    Args:
        every: seconds between reports while there is activity.
    """

    def __init__(self, hub: Hub, clocks: Clocks, culler: Culler, every: float) -> None:
        self.hub = hub
        self._clocks = clocks
        self._culler = culler
        self._every = every
        self.knows = HubKnows(slept=clocks.slept(), slept_at_start=clocks.slept())
        self.failed = False
        """Whether the hub did not take the last report."""
        self.read_at = self._told_at = float("-inf")
        self._unanswered = Unanswered(clocks.now)

    async def tell(self, at: Moment) -> bool:
        """Report `at`, which may be ahead, as the last activity.

        Returns:
            Whether the hub has taken it.
        """
        at = min(at, self._clocks.now() + FURTHEST)
        self._told_at = self._clocks.now()
        with self._unanswered.asking():
            taken = await self.hub.post_activity(self._clocks.epoch(at))
        self.failed = not taken
        if taken:
            # The hub never goes back.
            known = self.accepted
            accepted = at if known is None else max(known, at)
            self.knows = replace(self.knows, accepted=accepted, slept=self._clocks.slept())
        return taken

    async def tell_if_later(self, at: Moment) -> bool:
        """Report `at` if the hub has taken nothing as late."""
        known = self.accepted
        return True if known is not None and known >= at else await self.tell(at)

    async def read(self) -> None:
        """Look what the hub has, where the token may."""
        self.read_at = self._clocks.now()
        told = None
        try:
            told = await self.hub.read_own_server()
        finally:
            # Also for who gave up waiting.
            if told is None:
                self.knows = replace(self.knows, seen=None)
        if told is None:
            return
        seen, started = (None if each is None else self._clocks.moment(each) for each in told)
        if started is None:
            # Not read now, and not to be taken for it.
            started = None if self.knows.started is None else self.knows.started - self._slept_since_read
        self.knows = replace(self.knows, seen=seen, started=started, slept_at_read=self._clocks.slept())

    @property
    def _slept_since_read(self) -> float:
        return self._clocks.slept() - self.knows.slept_at_read

    def due(self, last: Moment, *, near: bool) -> bool:
        """Whether `last` is to be reported now.

        Args:
            near: the end is so near that people are told of it: it is to be the true one.
        """
        accepted = self.accepted
        if accepted is None or self.failed or self._clocks.now() - self._told_at >= TELL_EVERY:
            return True
        return last - accepted >= (1.0 if near else self._every)

    def needed(self, keep_until: Moment) -> Moment:
        """The last activity to report for the culler to stay away until then."""
        if self._culler.timeout is None:
            return keep_until
        return keep_until - self._culler.timeout

    @property
    def unsure(self) -> bool:
        """Whether the hub did not take the last report, or lets it wait."""
        return self.failed or self._unanswered.waits

    @property
    def accepted(self) -> Moment | None:
        """The last activity that the hub has taken from us, as far back as it is for the hub now."""
        if self.knows.accepted is None:
            return None
        return self.knows.accepted - (self._clocks.slept() - self.knows.slept)
