"""Whether the hub lets this server stop itself, as far as it says."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from jupyter_mlinfn.idle.hub import HubClient, HubPlace
from jupyter_mlinfn.idle.may_stop import FRESH, MayStop, may_stop

from ..support.clock import Clock
from ..support.hub_api import HubApi
from ..support.patience import PATIENCE

PLACE = HubPlace("http://hub/hub/api", "http://hub/activity", "ada b", "gpu", 300.0, "token")
LOG = logging.getLogger("tests")


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("delete:servers!server=ada b/gpu", True),
        ("delete:servers!user=ada b", True),
        ("delete:servers", True),
        ("delete:servers!server=ada b/", False),
        ("delete:servers!server=ada b/gpu2", False),
        ("delete:servers!user=eve", False),
        ("read:servers!server=ada b/gpu", False),
    ],
)
def test_the_scope_has_to_be_of_this_server(scope: str, may: bool) -> None:
    assert may_stop(["users:activity!user=ada b", scope], PLACE) is may


def test_of_the_default_server() -> None:
    default = HubPlace("http://hub/hub/api", "http://hub/activity", "ada", "", 300.0, "token")

    assert may_stop(["delete:servers!server=ada/"], default)
    assert not may_stop(["delete:servers!server=ada/gpu"], default)


@pytest.fixture
def api() -> Iterator[HubApi]:
    with HubApi() as api:
        yield api


async def test_a_revoked_token_may_not_and_a_hub_that_is_ill_does_not_say(api: HubApi) -> None:
    for status, expected in ((403, False), (503, None), (404, None)):
        api.status = status
        client = HubClient(api.place, answers_within=PATIENCE)
        assert await MayStop(client, LOG).ask() is expected
        await client.close()
    api.silence = "hangs"
    client = HubClient(api.place, answers_within=0.2)
    assert await MayStop(client, LOG).ask() is None
    await client.close()


async def test_it_is_asked_once_a_minute(api: HubApi) -> None:
    clock = Clock()
    client = HubClient(api.place, answers_within=PATIENCE)
    asks = MayStop(client, LOG, clock)
    assert [await asks.ask() for _ in range(3)] == [False] * 3
    assert len(api.requests) == 1
    clock.pass_time(FRESH)
    await asks.ask()

    assert api.requests == [("GET", "/hub/api/user")] * 2
    await client.close()
