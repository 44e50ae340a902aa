"""The order at the end on a real hub, and its bad days; when servers stop: test_on_time.py."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ..support.hub import Hub, HubServer, HubSettings, ServerSettings, hub_running
from ..support.hub_culler import culled, spared
from ..support.hub_tools import request
from ..support.patience import PATIENCE
from ..support.proof import PROOF, note
from ..support.server import wait_for
from .people import Stage

SOON: dict[str, Any] = {"idle_timeout": 2.0, "idle_warnings": [1.0]}
"""Nobody is there, and nobody is waited for."""

FAR: dict[str, Any] = {"idle_timeout": 3600.0}


def idle(server: HubServer) -> dict[str, Any]:
    return server.get("api/mlinfn/idle")


def record(server: HubServer) -> dict[str, Any]:
    name = f"-{server.name}" if server.name else ""
    file = server.platform.environments / ".mlinfn" / "idle" / f"last-stop{name}.json"
    return dict(json.loads(wait_for(lambda: file.exists() and file.read_text())))


def seconds_of(text: str) -> float:
    """Since the epoch."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def kept_for(answer: dict[str, Any]) -> float:
    """Seconds."""
    return seconds_of(answer["kept_until"] or answer["now"]) - seconds_of(answer["now"])


def hub_knows(server: HubServer) -> dict[str, float]:
    """`started` and `last_activity`, seconds since the epoch."""
    state = server.state()
    assert state is not None
    return {name: seconds_of(state[name]) for name in ("started", "last_activity")}


def test_a_token_that_may_not_stop_it_ends_with_status_0(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=ServerSettings(own_server=False, traits=SOON))
    wait_for(lambda: f"User {user} server stopped, with exit code: 0" in plain_hub.log())

    assert record(server)["why"] == "idle"


def test_the_hub_that_culls_at_the_same_time_lets_it_save(tmp_path: Path) -> None:
    # The culler comes while pages save.
    timeout, culler_timeout = 4.0, 10
    settings = HubSettings(culler_timeout=culler_timeout, proxy_class="mlinfn")
    with hub_running(tmp_path / "hub", settings) as hub:
        traits = {"idle_timeout": timeout, "hub_cull_timeout": float(culler_timeout), "hub_cull_every": 1.0}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        page = {"page": "a-page-of-ada", "visible": True}
        with Stage(server, None, mine=True).somebody_there():
            assert server.request("POST", "api/mlinfn/idle/page", page)[0] == 204
        age = time.time() - hub_knows(server)["started"]
        wait_for(lambda: idle(server)["phase"] == "saving")
        wait_for(lambda: spared(server, age=age + culler_timeout + 1) or culled(server))
        assert idle(server)["phase"] == "saving"
        saved = {"documents": ["a.ipynb"], "failed": []}
        assert server.request("POST", "api/mlinfn/idle/page", {**page, "saved": saved})[0] == 204
        wait_for(lambda: not server.running())

        assert record(server)["why"] == "idle"
        assert record(server)["pages"]["saved"] == ["a.ipynb"]
        assert "Culling server" not in hub.log()


def test_a_stop_by_the_user_at_the_hub_is_no_idleness(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=ServerSettings(own_server=True, traits=FAR))
    idle(server)
    server.stop()

    assert record(server)["why"] == "outside"


def test_two_servers_of_one_user_have_an_account_each(plain_hub: Hub, user: str) -> None:
    other = plain_hub.start(user, "gpu", settings=ServerSettings(own_server=True, traits=FAR))
    assert other.request("POST", "api/mlinfn/idle/keepalive", {"seconds": 7200})[0] == 200
    one = plain_hub.start(user, settings=ServerSettings(own_server=True, traits=SOON))
    wait_for(lambda: not one.running())

    assert other.running()
    assert kept_for(idle(other)) > FAR["idle_timeout"]
    assert record(one)["server"] == ""
    assert record(one)["why"] == "idle"
    other.stop()
    assert record(other)["server"] == "gpu"


def test_keeping_is_told_to_the_hub(tmp_path: Path) -> None:
    timeout, asked = 8, 14
    settings = HubSettings(culler_timeout=timeout, proxy_class="mlinfn")
    with hub_running(tmp_path / "hub", settings) as hub:
        traits = {"hub_cull_timeout": float(timeout), "hub_cull_every": 1.0}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        # However long the request takes: the server is in use until it is asked.
        with Stage(server, None, mine=True).somebody_there():
            before = time.time()
            assert server.request("POST", "api/mlinfn/idle/keepalive", {"seconds": asked})[0] == 200
            after = time.time()

        def promise() -> float | None:
            # Of a hub that is slow to agree the server promises less at first.
            until = seconds_of((answer := idle(server))["kept_until"] or answer["now"])
            return until if until > before + asked - 0.1 else None

        promised = wait_for(promise)
        assert promised < after + asked + 0.1
        # What the culler goes by; it never goes back.
        told = hub_knows(server)["last_activity"]
        assert abs(told - (promised - timeout)) < 0.1
        wait_for(lambda: not server.running())

        # The stock culler stopped it, and not before what was promised.
        assert time.time() >= promised
        assert culled(server) is not None
        assert record(server)["why"] == "hub_culler"


@pytest.mark.parametrize("moment", ["warning", "stop"])
def test_with_the_hub_down_it_warns_and_stops_itself(tmp_path: Path, moment: str) -> None:
    timeout = {"warning": 20.0, "stop": 4.0}[moment]
    with hub_running(tmp_path / "hub") as hub:
        traits = {"idle_timeout": timeout, "hub_cull_timeout": timeout, "hub_cull_every": 1.0}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        with Stage(server, None, mine=True).somebody_there():
            process = server.process()
            assert process is not None
            idle(server)
            direct = direct_url(hub, server)
        hub.kill_hub()
        if moment == "warning":
            warned = wait_for(lambda: direct("GET", "api/mlinfn/idle")["warning"])
            assert warned["extendable"]
        process.wait(PATIENCE)

    assert record(server)["why"] == "idle"


def test_with_the_hub_down_nothing_is_promised_that_it_has_not_agreed_to(tmp_path: Path) -> None:
    timeout = 60.0
    with hub_running(tmp_path / "hub") as hub:
        traits = {**FAR, "hub_cull_timeout": timeout, "hub_cull_every": 1.0}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        idle(server)
        direct = direct_url(hub, server)
        hub.kill_hub()
        answer = direct("POST", "api/mlinfn/idle/keepalive", {"seconds": 7200})
        assert kept_for(answer) <= timeout
        hub.start_hub()
        wait_for(lambda: kept_for(idle(server)) > 7000)


def test_a_hub_that_hangs_holds_up_the_stop_for_a_few_seconds(tmp_path: Path) -> None:
    traits = {"idle_timeout": 4.0}
    with hub_running(tmp_path / "hub") as hub:
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        with Stage(server, None, mine=True).somebody_there():
            process = server.process()
            assert process is not None
        due = time.monotonic() + traits["idle_timeout"]
        hub.suspend_hub()
        # It hangs until this has ended.
        process.wait(PATIENCE)
        late = time.monotonic() - due
    if PROOF:
        # It waits 2 s for the hub to be held off, 1 s for pages, 5 s for the hub to stop it, and ends.
        note(f"{late:.1f} s late with a real hub that hangs")
        assert late < 15

    assert record(server)["why"] == "idle"


def direct_url(hub: Hub, server: HubServer) -> Any:
    """Asks the server itself, which has the user's token in its cache, not through the proxy."""
    (target,) = [
        route["target"]
        for path, route in hub.routes().items()
        if path.rstrip("/").endswith(f"/user/{server.user}")
    ]
    token = hub.token(server.user)

    def ask(method: str, path: str, body: Any = None) -> dict[str, Any]:
        status, answer = request(method, f"{target}/user/{server.user}/{path}", token, body)
        assert status in (200, 202), answer
        return answer

    return ask
