"""A hub that is away, hangs or answers a byte now and then holds up neither a stop nor who asks.

The hub and what is said to it are real; seconds pass where the test passes them, for whoever waits too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

import pytest

from jupyter_mlinfn.idle.account import Account
from jupyter_mlinfn.idle.around import Around
from jupyter_mlinfn.idle.hub import HubClient
from jupyter_mlinfn.idle.hubside import HubSide
from jupyter_mlinfn.idle.models import Deadline, Moment, Policy
from jupyter_mlinfn.idle.policy import Culler
from jupyter_mlinfn.idle.report import AT_ONCE, ActivityReport
from jupyter_mlinfn.idle.service import IdleService
from jupyter_mlinfn.times import utc_now

from ..support.hub_api import HubApi
from .conftest import SleepyClock, settle

Illness = Literal["down", "hangs", "dribbles"]
ILLNESSES: tuple[Illness, ...] = ("down", "hangs", "dribbles")

TIMEOUT = 2.0


@pytest.fixture
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> SleepyClock:
    """Of the server, its hub and the event loop."""
    clock = SleepyClock()
    clock.offset = time.time() - clock.now
    jp_asyncio_loop.time = clock  # type: ignore[method-assign]
    return clock


@dataclass
class Server:
    """A service that speaks to its hub in earnest."""

    service: IdleService
    api: HubApi
    clock: SleepyClock
    began: Moment
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[Mapping[str, Any]] = field(default_factory=list)

    async def until(self, moment: Moment) -> None:
        while self.clock() < moment:
            self.clock.pass_time(0.05)
            await settle()


@asynccontextmanager
async def server(
    clock: SleepyClock, timeout: float, culled_after: float | None = None
) -> AsyncIterator[Server]:
    """Its hub is well, and knows of it."""
    with HubApi() as api:
        api.wall = clock.wall
        clocks, culler = clock.clocks(), Culler(culled_after or timeout, 1.0)
        client = HubClient(api.place, clocks=clocks)
        report = ActivityReport(client, utc_now, utc_now, {}, logging.getLogger("tests"), clock=clock)
        around = Around()
        service = IdleService(
            Account([], started=clock()),
            Policy(timeout),
            culler,
            around,
            started=clock(),
            hub=HubSide(report, clocks, culler, timeout / 4),
            clocks=clocks,
        )
        found = Server(service, api, clock, clock())
        around.end, around.write = found.ended.set, found.records.append
        around.ends_later.append(report.close)
        await service.tick()
        yield found
        await service.close()


def fall_ill(api: HubApi, illness: Illness) -> None:
    if illness == "down":
        api.leave()
    else:
        api.silence = illness


def culled(service: IdleService) -> list[Deadline]:
    return [each for each in service.deadlines if each.source == "hub_culler"]


def promised(answer: Mapping[str, Any]) -> float:
    """Seconds for which the server is kept."""
    now, kept = (
        datetime.fromisoformat(answer[name].replace("Z", "+00:00")) for name in ("now", "kept_until")
    )
    return (kept - now).total_seconds()


# Nobody's pages: a second to save; the rest is waiting for the hub.
@pytest.mark.parametrize(("illness", "at_most"), [("down", 5.0), ("hangs", 12.0), ("dribbles", 12.0)])
async def test_it_ends_about_when_it_said(illness: Illness, at_most: float, clock: SleepyClock) -> None:
    async with server(clock, TIMEOUT) as found:
        fall_ill(found.api, illness)
        found.service.start()
        while not found.ended.is_set():
            late = clock() - found.began - TIMEOUT
            assert late < at_most
            await found.until(clock() + 0.05)

    assert late >= 0
    assert [record["why"] for record in found.records] == ["idle"]


@pytest.mark.parametrize("illness", ILLNESSES)
async def test_who_asks_to_keep_it_is_answered_and_promised_nothing_of_the_hub(
    illness: Illness, clock: SleepyClock
) -> None:
    async with server(clock, 600.0) as found:
        fall_ill(found.api, illness)
        began = clock()
        asking = asyncio.ensure_future(found.service.keep_alive(3600))
        await asyncio.sleep(0)
        # Other pages hear of it before the hub does.
        assert found.service.deadlines[-1].at > began + 3500
        while not asking.done():
            assert clock() - began < 3
            await found.until(clock() + 0.05)

    assert promised(await asking) <= 600


@pytest.mark.parametrize("illness", ILLNESSES)
async def test_who_is_there_is_not_stopped_for_a_culler_of_which_nothing_is_heard(
    illness: Illness, clock: SleepyClock
) -> None:
    """What the hub had seen before it fell ill says no more when its culler comes: it has no hub to ask."""
    culled_after = 4.0
    async with server(clock, 600.0, culled_after) as found:
        service = found.service
        (deadline,) = culled(service)
        assert deadline.certainty == "certain"
        # Before it could be asked to hold off its culler.
        fall_ill(found.api, illness)
        service.start()
        # The stop for a culler that is known to come begins within the time in which the hub is waited for.
        stops_at = deadline.at - culled_after / 4
        await found.until(stops_at - 1.5 * AT_ONCE)
        asking = asyncio.ensure_future(service.keep_alive(600))
        phases = set()
        while clock() < deadline.at + 1.0:
            await found.until(clock() + 0.05)
            phases.add(service.phase())
        answer = await asking

    assert phases
    assert not phases & {"saving", "rescuing", "stopping"}
    assert not found.ended.is_set()
    assert promised(answer) <= culled_after


@pytest.mark.parametrize("ahead", [-7200.0, -1200.0, 0.0, 1200.0, 7200.0])
async def test_activity_is_told_by_the_hubs_clock_wherever_that_was_set_to(
    ahead: float, clock: SleepyClock
) -> None:
    """Else a server at work is idle for a hub whose clock is ahead, and nobody's page would show it."""
    now = datetime.fromtimestamp(clock.wall(), timezone.utc)
    with HubApi() as api:
        api.wall = clock.wall
        client = HubClient(api.place, clocks=clock.clocks())
        await client.post_activity(now)
        api.ahead = ahead
        await client.post_activity(now)
        last = api.told[-1]
        seen, _ = await client.read_own_server()
        await client.close()

    # An answer tells the time to the second.
    assert abs(last - (clock.wall() + ahead)) <= 1
    assert seen is not None
    assert seen.last_activity is not None
    # What it was told before its clock was set back is what it has.
    assert abs(seen.last_activity.timestamp() - (clock.wall() + max(0.0, -ahead))) <= 1
