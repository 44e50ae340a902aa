"""The account of real activity: what sources saw last, and which of it counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, runtime_checkable

from .models import Busy, Moment, Signal, SignalSource, Source

_log = logging.getLogger(__name__)

LOOK_LIMIT = 10.0
"""Seconds that a source has to answer."""

_BLIND = "It could not be told whether there was any activity here: taken for some."
_ALWAYS_COUNT: Collection[SignalSource] = ("start", "keepalive")


@runtime_checkable
class Refreshing(Protocol):
    """A source that looks in its own time, such as once a minute."""

    async def refresh(self) -> None: ...


class Account:
    """Lives on the event loop's thread.

    A source that fails counts as activity until it answers again: to stop somebody's work for an
    error of ours is worse than a server that stays. It is logged, and the user is told.

    Args:
        sources: each is asked at every look; the later of two with one name is kept.
        started: when this server started, the first activity.
        ignored: sources that the admin does not let count.
        timeout, longest_life: see `Policy`.
        busy: the kernels that run a cell now, as the last look saw them.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        started: Moment,
        ignored: Collection[str] = (),
        timeout: float | None = None,
        longest_life: float | None = None,
        busy: Callable[[], Sequence[Busy]] = tuple,
    ) -> None:
        self._sources = sources
        self._ignored = {name for name in ignored if name not in _ALWAYS_COUNT}
        self._timeout = timeout or 0.0
        self._longest_life = longest_life
        self._busy = busy
        self._signals: dict[str, Signal] = {
            "start": Signal("start", started, "This server started."),
            "page": Signal("page", None, counts="page" not in self._ignored),
        }
        self._failing: set[int] = set()
        self.looked: Moment = float("-inf")

    async def look(self, now: Moment) -> None:
        """Ask all sources."""
        seen = await asyncio.gather(*(self._ask(source, now) for source in self._sources))
        together: dict[str, Signal] = {}
        for signal in seen:
            if signal is not None:
                together[signal.source] = _later(together.get(signal.source), signal)
        for signal in together.values():
            self.keep(signal, now)
        self.looked = now

    async def refresh(self) -> None:
        """Have those sources look at once that otherwise look in their own time, and wait for them:
        before something is decided that an old look might be wrong about."""
        now = [each.refresh() for each in self._sources if isinstance(each, Refreshing)]
        if now:
            with suppress(asyncio.TimeoutError):
                # Whatever fails is told by the look that follows.
                await asyncio.wait_for(asyncio.gather(*now, return_exceptions=True), LOOK_LIMIT)

    def note(self, source: SignalSource, at: Moment, detail: str) -> None:
        """Activity that was told rather than looked for; an earlier one changes nothing."""
        before = self._signals.get(source)
        if before is None or before.last is None or at >= before.last:
            self._signals[source] = Signal(source, at, detail, counts=source not in self._ignored)

    def forget(self, source: SignalSource) -> None:
        """Take back what was noted."""
        self._signals.pop(source, None)

    @property
    def signals(self) -> Sequence[Signal]:
        """One for each source that there is, the latest first."""
        return sorted(self._signals.values(), key=_time_of, reverse=True)

    @property
    def busy(self) -> Sequence[Busy]:
        """The kernels that run a cell, longest first."""
        return sorted(self._busy(), key=lambda each: each.since)

    def last(self, without: Collection[str] = ()) -> Signal:
        """The last activity that counts, of sources but for those.

        Kernels that are busy count for the longest life from whatever else happened last; see
        `Policy.longest_life`.
        """
        counting = [
            each
            for each in self._signals.values()
            if each.counts and each.last is not None and each.source not in without
        ]
        last = max(counting, key=_time_of)
        busy = self.busy
        if self._longest_life is None or last.source != "kernels" or not busy:
            return last
        others = max(_time_of(each) for each in counting if each.source != "kernels")
        keeps = max(others, busy[-1].since) + max(0.0, self._longest_life - self._timeout)
        return replace(last, last=min(_time_of(last), keeps))

    async def _ask(self, source: Source, now: Moment) -> Signal | None:
        try:
            signal = await asyncio.wait_for(source.look(now), LOOK_LIMIT)
        except Exception as error:  # noqa: BLE001 - a source fails in its own ways: the others are asked all the same
            name = _name_of(source)
            if id(source) not in self._failing:
                self._failing.add(id(source))
                _log.warning("Activity: %s cannot be looked at, and counts as active: %r", name, error)
            return Signal(name, now, _BLIND)
        self._failing.discard(id(source))
        return signal

    def keep(self, signal: Signal, now: Moment) -> None:
        """Take what a source says now."""
        last = signal.last if signal.last is None else min(signal.last, now)
        before = self._signals.get(signal.source)
        if before is not None and before.last is not None and (last is None or last < before.last):
            # What was noted by a request a moment ago.
            last, signal = before.last, before
        counts = signal.counts and signal.source not in self._ignored
        self._signals[signal.source] = replace(signal, last=last, counts=counts)


def _time_of(signal: Signal) -> Moment:
    return float("-inf") if signal.last is None else signal.last


def _later(one: Signal | None, other: Signal) -> Signal:
    return other if one is None or _time_of(other) >= _time_of(one) else one


def _name_of(source: Source) -> SignalSource:
    name: SignalSource = getattr(source, "source", "other")
    return name
