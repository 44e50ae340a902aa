"""The order at the end on a real hub, and its bad days; when servers stop: test_on_time.py."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ..support.hub import Hub, HubServer, HubSettings, ServerSettings, hub_running
from ..support.patience import PATIENCE
from ..support.proof import note
from ..support.server import wait_for

TIMEOUT = 8.0
EVERY = 1
"""Seconds between two looks of the hubs' cullers."""

TRAITS: dict[str, Any] = {"idle_timeout": TIMEOUT, "idle_warnings": [4.0, 2.0]}
MAY_STOP = ServerSettings(own_server=True, traits=TRAITS)
MAY_NOT = ServerSettings(own_server=False, traits=TRAITS)


def idle(server: HubServer) -> dict[str, Any]:
    return server.get("api/mlinfn/idle")


def record(server: HubServer) -> dict[str, Any]:
    name = f"-{server.name}" if server.name else ""
    file = server.platform.environments / ".mlinfn" / "idle" / f"last-stop{name}.json"
    return dict(json.loads(wait_for(lambda: file.exists() and file.read_text())))


def _seconds(one: str, other: str) -> float:
    first, second = (datetime.fromisoformat(each.replace("Z", "+00:00")) for each in (one, other))
    return (second - first).total_seconds()


def test_a_token_that_may_not_stop_it_ends_with_status_0(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=MAY_NOT)
    wait_for(lambda: f"User {user} server stopped, with exit code: 0" in plain_hub.log())

    assert record(server)["why"] == "idle"


def test_the_hub_that_culls_at_the_same_time_lets_it_save(tmp_path: Path) -> None:
    settings = HubSettings(culler_timeout=int(TIMEOUT), culler_every=EVERY, proxy_class="mlinfn")
    with hub_running(tmp_path / "hub", settings) as hub:
        traits = {**TRAITS, "hub_cull_timeout": TIMEOUT, "hub_cull_every": float(EVERY)}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        page = {"page": "a-page-of-ada", "visible": True}
        assert server.request("POST", "api/mlinfn/idle/page", page)[0] == 204
        began = wait_for(lambda: idle(server)["phase"] == "saving" and time.monotonic())
        # Longer than the culler would wait.
        wait_for(lambda: time.monotonic() > began + 3 * EVERY)
        assert idle(server)["phase"] == "saving"
        saved = {"documents": ["a.ipynb"], "failed": []}
        assert server.request("POST", "api/mlinfn/idle/page", {**page, "saved": saved})[0] == 204
        wait_for(lambda: not server.running())

        assert record(server)["why"] == "idle"
        assert record(server)["pages"]["saved"] == ["a.ipynb"]
        assert "Culling server" not in hub.log()


def test_a_stop_by_the_user_at_the_hub_is_no_idleness(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=MAY_STOP)
    idle(server)
    server.stop()

    assert record(server)["why"] == "outside"


def test_two_servers_of_one_user_have_an_account_each(plain_hub: Hub, user: str) -> None:
    one = plain_hub.start(user, settings=MAY_STOP)
    other = plain_hub.start(user, "gpu", settings=MAY_STOP)
    assert other.request("POST", "api/mlinfn/idle/keepalive", {"seconds": 3600})[0] == 200
    wait_for(lambda: not one.running())

    assert other.running()
    assert record(one)["server"] == ""
    other.stop()
    assert record(other)["server"] == "gpu"


def test_keeping_is_told_to_the_hub(tmp_path: Path) -> None:
    settings = HubSettings(culler_timeout=8, culler_every=EVERY, proxy_class="mlinfn")
    with hub_running(tmp_path / "hub", settings) as hub:
        traits = {"hub_cull_timeout": 8.0, "hub_cull_every": float(EVERY)}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        status, answer = server.request("POST", "api/mlinfn/idle/keepalive", {"seconds": 25})
        assert status == 200
        kept = _seconds(answer["now"], answer["kept_until"])
        began = time.monotonic()
        wait_for(lambda: not server.running())

        # The stock culler stopped it, and not before what was promised.
        assert 24 <= kept <= 25
        assert kept <= time.monotonic() - began <= kept + 10
        assert "Culling server" in hub.log()
        assert record(server)["why"] == "hub_culler"


@pytest.mark.parametrize("moment", ["warning", "stop", "keepalive"])
def test_with_the_hub_down_nothing_is_worse_than_it_must(tmp_path: Path, moment: str) -> None:
    with hub_running(tmp_path / "hub") as hub:
        traits = {**TRAITS, "hub_cull_timeout": TIMEOUT, "hub_cull_every": float(EVERY)}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        process = server.process()
        assert process is not None
        idle(server)
        direct = direct_url(hub, server)
        hub.kill_hub()
        if moment == "keepalive":
            answer = direct("POST", "api/mlinfn/idle/keepalive", {"seconds": 3600})
            # It is not promised what the hub has not agreed to.
            assert _seconds(answer["now"], answer["kept_until"]) <= TIMEOUT + 1
            hub.start_hub()
            wait_for(
                lambda: _seconds((told := idle(server))["now"], told["kept_until"] or told["now"]) > 3000
            )
            return
        if moment == "warning":
            warned = wait_for(lambda: direct("GET", "api/mlinfn/idle")["warning"])
            assert warned["extendable"]
        process.wait(PATIENCE)

    assert record(server)["why"] == "idle"


def test_a_hub_that_hangs_makes_the_stop_a_few_seconds_late(tmp_path: Path) -> None:
    with hub_running(tmp_path / "hub") as hub:
        server = hub.start("ada", settings=MAY_STOP)
        process = server.process()
        assert process is not None
        answer = idle(server)
        due = time.monotonic() + _seconds(answer["now"], answer["next"]["time"])
        hub.suspend_hub()
        process.wait(PATIENCE)
        late = time.monotonic() - due
    note(f"{late:.1f} s late with a real hub that hangs")

    assert record(server)["why"] == "idle"
    # It waits 2 s for the hub to be held off, 1 s for pages, 5 s for the hub to stop it, and ends.
    assert late < 15


def direct_url(hub: Hub, server: HubServer) -> Any:
    """Asks the server itself, which has the user's token in its cache, not through the proxy."""
    from ..support.hub import request

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
