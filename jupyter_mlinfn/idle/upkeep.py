"""Keeps what the hub knows of this server true, with as few words as that takes."""

from __future__ import annotations

from .clocks import Clocks
from .deadlines import Facts
from .hubside import FURTHEST, RENEW_BEFORE, HubSide
from .models import Moment

HOLD_OFF_BEFORE = 10.0
"""Seconds before our own stop at which the hub's culler is held off: it would come at the same time."""

READ_EVERY = 300.0
READ_NEAR = 60.0


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
    ending = stops_at is not None and 0 <= stops_at - facts.now <= lead(facts)
    if ending and stops_at is not None:
        await hub.tell_if_later(hub.needed(stops_at + hold_off))
    elif keeping or hub.due(facts.last, near=near):
        await tell_of_activity(hub, facts.now, facts.last, facts.kept_until)
    if clocks.now() - hub.read_at >= (READ_NEAR if near else READ_EVERY):
        await hub.read()


def lead(facts: Facts) -> float:
    """Seconds before our own stop from which the culler is held off."""
    return min(HOLD_OFF_BEFORE, (facts.policy.timeout or 0.0) / 4)


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
