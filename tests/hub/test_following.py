"""The stock culler follows a server's own account where the hub has our proxy class, and only for
servers that report one. Before each server a page is left open: a websocket, and two requests a
second."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import pytest
import websocket

from ..support.hub import Hub, HubServer, HubSettings, ServerSettings, hub_running
from ..support.server import wait_for

STOCK = ServerSettings(enabled=False)
TIMEOUT = 6
"""Of the hubs' cullers."""

AT_WORK = 3
"""Seconds for which the servers that are to be culled say that they are at work."""

LONG_ENOUGH = 18
"""Seconds after which a server that lives is kept."""


def reporting(folder: Path) -> ServerSettings:
    """A server that reports what `folder/account` says; without the file, its start."""
    return ServerSettings(
        enabled=False,
        extensions={"tests.support.reporting": True},
        environment={"MLINFN_TEST_ACCOUNT": str(folder / "account")},
    )


@contextmanager
def open_tab(server: HubServer) -> Iterator[None]:
    """What a page that nobody looks at keeps doing."""
    closed = threading.Event()
    token = server.hub.token(server.user)

    def poll() -> None:
        while not closed.wait(0.5):
            with suppress(OSError):
                server.request("GET", "api/status")

    socket = websocket.create_connection(
        server.url.replace("http:", "ws:") + "/api/events/subscribe",
        header={"Authorization": f"token {token}"},
    )
    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        closed.set()
        thread.join()
        socket.close()


def reports(server: HubServer) -> str:
    return f"/user/{server.user}/ reports its own activity"


def revoke(server: HubServer) -> None:
    """Take away the server's token."""
    _, body = server.hub.api("GET", f"users/{server.user}/tokens")
    for token in body["api_tokens"]:
        if token["note"].startswith("Server at"):
            assert server.hub.api("DELETE", f"users/{server.user}/tokens/{token['id']}")[0] == 204


def inactive_at_cull(server: HubServer) -> int:
    """Seconds for which the server was inactive by the culler's reckoning when it was stopped."""
    found = re.search(rf"Culling server {server.user} \(inactive for 00:00:(\d\d)\)", server.hub.log())
    assert found, "not culled"
    return int(found[1])


@dataclass(frozen=True)
class Scene:
    """Servers that lived beside each other on one hub.

    Attributes:
        lived: seconds from the moment when all were there; infinite for those still there at the end.
    """

    servers: Mapping[str, HubServer]
    lived: Mapping[str, float]


@pytest.fixture(scope="module")
def scene(following_hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """All at once, as each takes its time."""
    folders = {
        name: tmp_path_factory.mktemp(name) for name in ("idle", "subclass", "works", "replaced", "revoked")
    }
    settings = {
        **{name: reporting(folder) for name, folder in folders.items()},
        "subclass": replace(reporting(folders["subclass"]), as_extension=False),
        "stock": STOCK,
    }
    following_hub.start("replaced", settings=settings["replaced"]).stop()
    settings["replaced"] = STOCK
    for name in ("works", "revoked"):
        (folders[name] / "account").write_text(str(time.time() + 300))

    def working(until: Callable[[], bool]) -> bool:
        """Those that are to be culled are at work up to now."""
        for name in ("idle", "subclass"):
            (folders[name] / "account").write_text(str(time.time()))
        return until()

    with ThreadPoolExecutor() as pool, ExitStack() as tabs:
        starts = {
            name: pool.submit(following_hub.start, name, settings=each) for name, each in settings.items()
        }
        wait_for(lambda: working(lambda: all(start.done() for start in starts.values())))
        servers = {name: start.result() for name, start in starts.items()}
        for name, server in servers.items():
            if name != "works":
                tabs.enter_context(open_tab(server))
        declared = [reports(servers[name]) for name in ("idle", "subclass", "revoked")]
        wait_for(lambda: working(lambda: all(each in following_hub.log() for each in declared)))
        revoke(servers["revoked"])
        began = time.monotonic()
        (folders["revoked"] / "account").write_text(str(time.time() + 301))
        for name in ("idle", "subclass"):
            (folders[name] / "account").write_text(str(time.time() + AT_WORK))
        lived: dict[str, float] = {}

        def over() -> bool:
            passed = time.monotonic() - began
            for name, server in servers.items():
                if name not in lived and not server.running():
                    lived[name] = passed
            return passed > LONG_ENOUGH

        wait_for(over, LONG_ENOUGH + 30)
        return Scene(servers, {name: lived.get(name, inf) for name in servers})


@pytest.mark.parametrize("name", ["idle", "subclass"])
def test_a_server_that_says_it_is_idle_is_culled_on_time_whatever_is_open(scene: Scene, name: str) -> None:
    assert TIMEOUT <= inactive_at_cull(scene.servers[name]) <= TIMEOUT + 2
    assert AT_WORK + TIMEOUT - 1 <= scene.lived[name] < LONG_ENOUGH
    assert reports(scene.servers[name]) in scene.servers[name].hub.log()


def test_a_server_without_our_extension_is_kept_by_its_traffic_on_the_same_hub(scene: Scene) -> None:
    assert scene.lived["stock"] == inf
    assert reports(scene.servers["stock"]) not in scene.servers["stock"].hub.log()


def test_a_server_at_work_by_its_own_account_is_kept_with_nothing_open(scene: Scene) -> None:
    assert scene.lived["works"] == inf


def test_the_next_server_of_a_user_without_the_extension_is_as_ever(scene: Scene) -> None:
    assert scene.lived["replaced"] == inf


def test_a_server_whose_reports_are_refused_is_kept_by_its_traffic(scene: Scene) -> None:
    """It cannot say that it is at work: in doubt, nobody is stopped."""
    assert scene.lived["revoked"] == inf
    server = scene.servers["revoked"]
    assert "/user/revoked/ no longer reports its own activity" in server.hub.log()
    assert "could not be reported to the hub" in server.log()


def test_without_the_proxy_class_an_open_tab_wins(stock_hub: Hub, tmp_path: Path, user: str) -> None:
    server = stock_hub.start(user, settings=reporting(tmp_path))
    with open_tab(server):
        until = time.monotonic() + 2 * TIMEOUT
        wait_for(lambda: not server.running() or time.monotonic() > until)
        assert server.running()
    wait_for(lambda: not server.running())
    assert TIMEOUT <= inactive_at_cull(server) <= TIMEOUT + 2


def test_a_hub_that_was_restarted_follows_as_before(tmp_path: Path) -> None:
    with hub_running(tmp_path / "hub", HubSettings(culler_timeout=12, proxy_class="mlinfn")) as hub:
        server = hub.start("ada", settings=reporting(tmp_path))
        with open_tab(server):
            wait_for(lambda: reports(server) in hub.log())
            hub.kill_hub()
            (tmp_path / "account").write_text(str(time.time()))
            hub.start_hub()
            assert server.ready()
            wait_for(lambda: not server.running())
        assert 12 <= inactive_at_cull(server) <= 14
    assert hub.log().count(reports(server)) == 2


def test_the_extension_itself_is_followed_with_a_kernel_idle_and_a_page_open(
    following_hub: Hub, user: str
) -> None:
    told = {"MLINFN_HUB_CULL_TIMEOUT": str(TIMEOUT), "MLINFN_HUB_CULL_EVERY": "1"}
    server = following_hub.start(user, settings=ServerSettings(own_server=True, environment=told))
    with open_tab(server):
        assert server.request("POST", "api/kernels", {"name": "python3"})[0] == 201
        wait_for(lambda: not server.running())
    assert reports(server) in following_hub.log()
    assert TIMEOUT <= inactive_at_cull(server) <= TIMEOUT + 2
    assert "Kernel shutdown" in server.log(), "stopped in order"
