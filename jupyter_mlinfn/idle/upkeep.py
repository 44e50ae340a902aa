"""Keeps what the hub knows of this server true, with as few words as that takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from .clocks import Clocks
from .deadlines import Facts, hub_limit
from .hubside import FURTHEST, RENEW_BEFORE, HubSide
from .models import Moment

HOLD_OFF_BEFORE = 10.0
"""Seconds before our own stop at which the hub's culler is held off: it would come at the same time."""

READ_EVERY = 300.0
READ_NEAR = 60.0

HEARD_WITHIN = 2.0
"""Seconds for which somebody waits for the hub: one that hangs holds up neither a warning nor a stop, nor
who asks to be kept."""


class Talk:
    """With a hub that may hang: what it says is heard of whenever it comes.

    Args:
        heard: there was an answer, or there is none.
    """

    def __init__(self, heard: Callable[[], object], log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._heard = heard
        self._log = log
        self._open: set[asyncio.Task[Any]] = set()

    async def of(self, asking: Coroutine[Any, Any, object]) -> None:
        """Ask, and wait for the answer, but not long."""
        task = asyncio.ensure_future(asking)
        self._open.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait([task], timeout=HEARD_WITHIN)

    @property
    def waits(self) -> bool:
        """Whether there is a question that the hub has not answered."""
        return bool(self._open)

    def close(self) -> None:
        for task in self._open:
            task.cancel()

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._open.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._log.error("Idle: speaking to the hub failed", exc_info=error)
        self._heard()


async def keep_up(
    hub: HubSide, clocks: Clocks, facts: Facts, *, near: bool, stops_at: Moment | None, hold_off: float
) -> None:
    """Report, renew, hold off and read, whatever of it is due.

    Args:
        near: the end is so near that people are told of it.
        stops_at: when this server begins to stop itself.
        hold_off: seconds from then for which the culler is to stay away.
    """
    keeping = facts.kept_until is not None and keeping_due(hub, facts.now, facts.kept_until)
    if stops_at is not None and hold_off_at(facts, clocks, stops_at, hold_off) <= facts.now <= stops_at:
        await hub.tell_if_later(hub.needed(stops_at + hold_off))
    elif keeping or hub.due(facts.last, near=near):
        await tell_of_activity(hub, facts.now, facts.last, facts.kept_until)
    if clocks.now() - hub.read_at >= (READ_NEAR if near else READ_EVERY):
        await hub.read()


def hold_off_at(facts: Facts, clocks: Clocks, stops_at: Moment, hold_off: float) -> Moment:
    """When to hold off the culler: some seconds before our own stop, or before the culler where that comes a
    little sooner."""
    culled_at = hub_limit(facts, clocks)
    first = stops_at
    if culled_at is not None and stops_at - culled_at <= hold_off:
        first = min(stops_at, culled_at)
    return first - min(HOLD_OFF_BEFORE, (facts.policy.timeout or 0.0) / 4)


def keeping_due(hub: HubSide, now: Moment, kept_until: Moment) -> bool:
    """Whether the hub has to be told again that this server is kept."""
    needed = hub.needed(kept_until)
    told = hub.accepted
    if told is not None and told >= needed - 1.0:
        return False
    return hub.failed or told is None or told - now <= FURTHEST - RENEW_BEFORE


async def tell_of_activity(hub: HubSide, now: Moment, last: Moment, kept_until: Moment | None) -> bool:
    """Report the last activity, or as far ahead as keeping takes and the hub allows."""
    at = last if kept_until is None else max(last, min(hub.needed(kept_until), now + FURTHEST))
    return await hub.tell(at)
