"""A hub that is away, hangs or answers a byte now and then holds up neither a stop nor who asks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pytest

from jupyter_mlinfn.idle.account import Account
from jupyter_mlinfn.idle.around import Around
from jupyter_mlinfn.idle.clocks import Clocks
from jupyter_mlinfn.idle.hub import HubClient
from jupyter_mlinfn.idle.hubside import HubSide
from jupyter_mlinfn.idle.models import Deadline, Moment, Policy
from jupyter_mlinfn.idle.policy import Culler
from jupyter_mlinfn.idle.report import ActivityReport
from jupyter_mlinfn.idle.service import IdleService
from jupyter_mlinfn.times import utc_now

from ..support.hub_api import HubApi
from ..support.kernels import until
from ..support.proof import note

Illness = Literal["down", "hangs", "dribbles"]
ILLNESSES: tuple[Illness, ...] = ("down", "hangs", "dribbles")

TIMEOUT = 2.0


@dataclass
class Server:
    """A service that speaks to its hub in earnest; time passes as it does."""

    service: IdleService
    api: HubApi
    began: Moment
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[Mapping[str, Any]] = field(default_factory=list)


@contextmanager
def server(timeout: float, culled_after: float | None = None) -> Iterator[Server]:
    with HubApi() as api:
        clocks, culler, began = Clocks(), Culler(culled_after or timeout, 1.0), time.monotonic()
        report = ActivityReport(HubClient(api.place), utc_now, utc_now, {}, logging.getLogger("tests"))
        around = Around()
        service = IdleService(
            Account([], started=began),
            Policy(timeout),
            culler,
            around,
            started=began,
            hub=HubSide(report, clocks, culler, timeout / 4),
            clocks=clocks,
        )
        found = Server(service, api, began)
        around.end, around.write = found.ended.set, found.records.append
        around.ends_later.append(report.close)
        yield found


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


async def test_it_ends_about_when_it_said() -> None:
    async def late(server: Server) -> float:
        server.service.start()
        await asyncio.wait_for(server.ended.wait(), 120)
        late = time.monotonic() - server.began - TIMEOUT
        await server.service.close()
        return late

    with ExitStack() as stack:
        servers = [stack.enter_context(server(TIMEOUT)) for _ in ILLNESSES]
        for each, illness in zip(servers, ILLNESSES, strict=True):
            fall_ill(each.api, illness)
        found = dict(zip(ILLNESSES, await asyncio.gather(*map(late, servers)), strict=True))

    note("late with an ill hub: " + ", ".join(f"{name} {found[name]:.1f} s" for name in ILLNESSES))
    # Nobody's pages: a second to save; the rest is waiting for the hub.
    assert found["down"] < 5
    assert max(found.values()) < 12
    assert all([record["why"] for record in each.records] == ["idle"] for each in servers)


@pytest.mark.parametrize("illness", ILLNESSES)
async def test_who_asks_to_keep_it_is_answered_and_promised_nothing_of_the_hub(illness: Illness) -> None:
    with server(600.0) as found:
        await found.service.tick()
        fall_ill(found.api, illness)
        began = time.monotonic()
        asking = asyncio.ensure_future(found.service.keep_alive(3600))
        await asyncio.sleep(0)
        # Other pages hear of it before the hub does.
        assert found.service.deadlines[-1].at > began + 3500
        answer = await asking
        took = time.monotonic() - began
        await found.service.close()

    assert took < 3
    assert promised(answer) <= 600


@pytest.mark.parametrize("illness", ILLNESSES)
async def test_who_is_there_is_not_stopped_for_a_culler_of_which_nothing_is_heard(illness: Illness) -> None:
    """What the hub had seen before it fell ill says no more when its culler comes: it has no hub to ask."""
    culled_after = 4.0
    with server(600.0, culled_after) as found:
        service = found.service
        service.start()
        await until(lambda: [each for each in culled(service) if each.certainty == "certain"])
        fall_ill(found.api, illness)
        # The stop for a culler that is known to come begins within the time in which the hub is waited for.
        (culled_at,) = (each.at for each in culled(service))
        await asyncio.sleep(culled_at - culled_after / 4 - 1.5 - time.monotonic())
        answer = await service.keep_alive(600)
        phases = set()
        while time.monotonic() < culled_at + 1.0:
            phases.add(service.phase())
            await asyncio.sleep(0.05)
        await service.close()

    assert not phases & {"saving", "rescuing", "stopping"}
    assert not found.ended.is_set()
    assert promised(answer) <= culled_after


@pytest.mark.parametrize("ahead", [-7200.0, -1200.0, 0.0, 1200.0, 7200.0])
async def test_activity_is_told_by_the_hubs_clock_wherever_that_was_set_to(ahead: float) -> None:
    """Else a server at work is idle for a hub whose clock is ahead, and nobody's page would show it."""
    with HubApi() as api:
        client = HubClient(api.place)
        await client.post_activity(utc_now())
        api.ahead = ahead
        now = time.time()
        await client.post_activity(utc_now())
        last = api.told[-1]
        seen, _ = await client.read_own_server()
        await client.close()

    assert abs(last - (now + ahead)) < 5
    assert seen is not None
    assert seen.last_activity is not None
    # What it was told before its clock was set back is what it has.
    assert abs(seen.last_activity.timestamp() - (now + max(0.0, -ahead))) < 5
