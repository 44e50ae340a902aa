"""What a server can say to a real hub and ask of it, with the token that the hub gave it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from jupyter_mlinfn.errors import BadInputError, DependencyError, MlinfnError, NotAllowedError
from jupyter_mlinfn.idle.hub import FURTHEST_AHEAD, HubClient, HubPlace
from jupyter_mlinfn.times import utc_now

from ..support.hub import Hub, HubServer, HubSettings, ServerSettings, hub_running
from ..support.nursery import environment_of
from ..support.patience import PATIENCE
from ..support.server import wait_for

T = TypeVar("T")

QUIET = ServerSettings(enabled=False, activity_interval=0)
OWN = ServerSettings(enabled=False, activity_interval=0, own_server=True)


def place(server: HubServer) -> HubPlace:
    process = server.process()
    assert process is not None
    found = HubPlace.find(environment_of(process))
    assert found is not None
    return found


def ask(at: HubPlace, call: Callable[[HubClient], Awaitable[T]], **options: Any) -> T:
    async def run() -> T:
        client = HubClient(at, **options)
        try:
            return await call(client)
        finally:
            await client.close()

    return asyncio.run(run())


def last_activity(server: HubServer) -> datetime:
    state = server.state()
    assert state is not None
    return datetime.fromisoformat(state["last_activity"].replace("Z", "+00:00"))


@pytest.mark.parametrize("name", ["", "second"])
def test_activity_is_reported_for_this_server_up_to_an_hour_ahead(
    plain_hub: Hub, user: str, name: str
) -> None:
    server = plain_hub.start(user, name, settings=QUIET)
    there = place(server)
    for ahead in (timedelta(minutes=1), FURTHEST_AHEAD):
        at = (utc_now() + ahead).replace(microsecond=0)
        ask(there, lambda client, at=at: client.post_activity(at))
        assert last_activity(server) == at
    ask(there, lambda client: client.post_activity(utc_now()))
    assert last_activity(server) == at, "what was said is not taken back"


def test_what_is_too_far_ahead_is_refused_before_the_hub_is_asked_and_by_the_hub(
    plain_hub: Hub, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = plain_hub.start(user, settings=QUIET)
    there = place(server)
    at = utc_now() + timedelta(minutes=70)
    with pytest.raises(BadInputError, match="ahead"):
        ask(there, lambda client: client.post_activity(at))
    monkeypatch.setattr("jupyter_mlinfn.idle.hub.FURTHEST_AHEAD", timedelta(days=1))
    with pytest.raises(BadInputError, match=r"The hub answers 400: .*more than an hour"):
        ask(there, lambda client: client.post_activity(at))
    assert last_activity(server) < at


@pytest.mark.parametrize("name", ["", "second"])
def test_without_scopes_a_server_neither_sees_nor_stops_itself(plain_hub: Hub, user: str, name: str) -> None:
    server = plain_hub.start(user, name, settings=QUIET)
    seen, why = ask(place(server), lambda client: client.read_own_server())
    assert seen is None
    assert "read:servers!server" in why
    with pytest.raises(NotAllowedError, match="delete:servers!server"):
        ask(place(server), lambda client: client.stop_own_server())
    assert server.ready()


@pytest.mark.parametrize("name", ["", "second"])
def test_with_scopes_it_sees_and_stops_itself_and_then_its_token_is_revoked(
    plain_hub: Hub, user: str, name: str
) -> None:
    other = plain_hub.start(user, "" if name else "second", settings=OWN)
    server = plain_hub.start(user, name, settings=OWN)
    there = place(server)
    at = (utc_now() + timedelta(minutes=1)).replace(microsecond=0)
    ask(there, lambda client: client.post_activity(at))
    seen, why = ask(there, lambda client: client.read_own_server())
    assert seen is not None, why
    assert seen.last_activity == at
    assert seen.started is not None
    assert seen.started < utc_now()
    assert ask(there, lambda client: client.stop_own_server()) == "stopped"
    assert not server.running()
    assert other.ready(), "only itself"
    with pytest.raises(NotAllowedError, match="revoked"):
        ask(there, lambda client: client.post_activity(utc_now()))
    seen, why = ask(there, lambda client: client.read_own_server())
    assert seen is None
    assert why


def test_a_server_that_is_slow_to_end_is_stopping(tmp_path: Path) -> None:
    settings = ServerSettings(
        enabled=False, activity_interval=0, own_server=True, stop_signal="SIGTERM", grace=int(PATIENCE)
    )
    with hub_running(tmp_path / "hub", HubSettings(slow_stop=1)) as hub:
        server = hub.start("ada", settings=settings)
        there, process = place(server), server.process()
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        assert ask(there, lambda client: client.stop_own_server()) == "stopping"
        state = server.state()
        assert state is not None
        assert state["pending"] == "stop"
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: not server.running())
        assert not process.is_running()


def test_a_hub_that_is_away_is_asked_again_and_what_is_lost_is_told(tmp_path: Path) -> None:
    with hub_running(tmp_path / "hub") as hub:
        server = hub.start("ada", settings=OWN)
        there = place(server)
        at = (utc_now() + timedelta(minutes=1)).replace(microsecond=0)
        hub.kill_hub()
        with pytest.raises(DependencyError, match="does not answer"):
            ask(there, lambda client: client.post_activity(at, patience=1))
        seen, why = ask(there, lambda client: client.read_own_server())
        assert seen is None
        assert "does not answer" in why

        async def report_while_it_comes_back(client: HubClient) -> None:
            report = asyncio.ensure_future(client.post_activity(at, patience=PATIENCE))
            await asyncio.to_thread(hub.start_hub)
            await report

        ask(there, report_while_it_comes_back)
        assert last_activity(server) == at


def test_the_token_is_told_to_nobody(plain_hub: Hub, user: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    there = place(plain_hub.start(user, settings=QUIET))

    async def everything(client: HubClient) -> list[str]:
        told = [repr(client.place), str(await client.read_own_server())]
        for call in (client.stop_own_server(), client.post_activity(utc_now() + timedelta(days=1))):
            try:
                await call
            except MlinfnError as error:
                told += [repr(error), str(error), str(error.to_json())]
        return told

    told = ask(there, everything)
    assert len(told) == 8
    assert there.token
    assert there.token not in "\n".join([*told, caplog.text])


@pytest.mark.parametrize("missing", ["API_URL", "API_TOKEN", "USER", "SERVICE_PREFIX"])
def test_there_is_no_hub_where_its_environment_is_not_whole(missing: str) -> None:
    names = ("API_URL", "API_TOKEN", "USER", "SERVICE_PREFIX")
    environment = {f"JUPYTERHUB_{name}": "http://127.0.0.1:1/hub/api" for name in names}
    assert HubPlace.find(environment) is not None
    del environment[f"JUPYTERHUB_{missing}"]
    assert HubPlace.find(environment) is None
