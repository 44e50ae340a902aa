"""Real idleness on a real hub, with seconds for hours: who stops a server, when, and what it says."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..support.hub import Hub, HubServer, HubSettings, ServerSettings, hub_running
from ..support.proof import note, sample
from ..support.server import wait_for

TIMEOUT = 12.0
EVERY = 1
"""Seconds between two looks of the hubs' cullers."""

TRAITS: dict[str, Any] = {"idle_timeout": TIMEOUT, "idle_warnings": [6.0, 2.0]}
MAY_STOP = ServerSettings(own_server=True, traits=TRAITS)
MAY_NOT = ServerSettings(own_server=False, traits=TRAITS)
AT_ONCE = 4
"""Servers on the machine at one time."""


def idle(server: HubServer) -> dict[str, Any]:
    return server.get("api/mlinfn/idle")


def record(server: HubServer) -> dict[str, Any]:
    name = f"-{server.name}" if server.name else ""
    file = server.platform.environments / ".mlinfn" / "idle" / f"last-stop{name}.json"
    return dict(json.loads(wait_for(lambda: file.exists() and file.read_text(), 20)))


@dataclass
class Stop:
    """How one server ended; moments of this process.

    Attributes:
        announced: the last time that it told.
        over: when its process was gone.
    """

    announced: float
    over: float
    why: str


def watch_its_end(hub: Hub, user: str, settings: ServerSettings) -> Stop:
    """A server that nobody uses, from its start to its end."""
    server = hub.start(user, settings=settings)
    process = server.process()
    assert process is not None
    answer = idle(server)
    announced = time.time() + _seconds(answer["now"], answer["next"]["time"])
    process.wait(TIMEOUT + 60)
    return Stop(announced, time.time(), record(server)["why"])


def _seconds(one: str, other: str) -> float:
    from datetime import datetime

    first, second = (datetime.fromisoformat(each.replace("Z", "+00:00")) for each in (one, other))
    return (second - first).total_seconds()


@pytest.mark.proof
def test_servers_stop_within_a_check_of_the_announced_time(plain_hub: Hub) -> None:
    count = sample(5, 50)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        stops = list(
            pool.map(lambda number: watch_its_end(plain_hub, f"forgotten{number}", MAY_STOP), range(count))
        )
    late = [each.over - each.announced for each in stops]
    note(
        f"idle: {len(stops)} of {count} forgotten servers stopped by themselves through the hub, "
        f"{min(late):.1f} to {max(late):.1f} s after the announced time"
    )

    assert {each.why for each in stops} == {"idle"}
    # One look of a culler as admins have it takes minutes; saving and ending are what remains here.
    assert all(-0.5 <= each <= 10 for each in late), late


@pytest.mark.proof
def test_no_server_at_work_is_stopped(plain_hub: Hub) -> None:
    count = sample(2, 20)

    def work(number: int) -> bool:
        settings = ServerSettings(
            own_server=True, traits={"idle_timeout": 4.0, "idle_warnings": [2.0], "idle_cpu_threshold": 3.0}
        )
        server = plain_hub.start(f"working{number}", settings=settings)
        # As `nohup python train.py` of a terminal: nobody watches it, and its page is closed.
        status, terminal = server.request("POST", "api/terminals", {})
        assert status == 200, terminal
        type_in(server, terminal["name"], "nohup sh -c 'while :; do :; done' >/dev/null 2>&1 &\r")
        until = time.monotonic() + 20
        wait_for(lambda: not server.running() or time.monotonic() > until, 40)
        alive = server.running()
        if alive:
            server.stop()
        return alive

    with ThreadPoolExecutor(2) as pool:
        alive = list(pool.map(work, range(count)))
    note(f"idle: {alive.count(False)} of {len(alive)} servers at work were stopped")

    assert all(alive)


def type_in(server: HubServer, terminal: str, text: str) -> None:
    import websocket

    url = server.url.replace("http:", "ws:") + f"/terminals/websocket/{terminal}"
    token = server.hub.token(server.user)
    socket = websocket.create_connection(url, header={"Authorization": f"token {token}"}, timeout=30)
    socket.send(json.dumps(["stdin", text]))
    while "nohup" not in socket.recv():
        pass
    socket.close()


def test_a_token_that_may_not_stop_it_ends_with_status_0(plain_hub: Hub, user: str) -> None:
    stop = watch_its_end(plain_hub, user, MAY_NOT)
    wait_for(lambda: f"User {user} server stopped, with exit code: 0" in plain_hub.log(), 30)

    assert stop.why == "idle"


def test_the_hub_that_culls_at_the_same_time_lets_it_save(tmp_path: Path) -> None:
    settings = HubSettings(culler_timeout=int(TIMEOUT), culler_every=EVERY, proxy_class="mlinfn")
    with hub_running(tmp_path / "hub", settings) as hub:
        traits = {**TRAITS, "hub_cull_timeout": TIMEOUT, "hub_cull_every": float(EVERY)}
        server = hub.start("ada", settings=ServerSettings(own_server=True, traits=traits))
        page = {"page": "a-page-of-ada", "visible": True}
        assert server.request("POST", "api/mlinfn/idle/page", page)[0] == 204
        began = wait_for(lambda: idle(server)["phase"] == "saving" and time.monotonic(), 60)
        # Longer than the culler would wait.
        wait_for(lambda: time.monotonic() > began + 3 * EVERY, 30)
        assert idle(server)["phase"] == "saving"
        saved = {"documents": ["a.ipynb"], "failed": []}
        assert server.request("POST", "api/mlinfn/idle/page", {**page, "saved": saved})[0] == 204
        wait_for(lambda: not server.running(), 30)

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
    wait_for(lambda: not one.running(), 60)

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
        wait_for(lambda: not server.running(), 90)

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
                lambda: _seconds((told := idle(server))["now"], told["kept_until"] or told["now"]) > 3000, 60
            )
            return
        if moment == "warning":
            warned = wait_for(lambda: direct("GET", "api/mlinfn/idle")["warning"], 30)
            assert warned["extendable"]
        process.wait(90)

    assert record(server)["why"] == "idle"


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
        assert status == 200, answer
        return answer

    return ask
