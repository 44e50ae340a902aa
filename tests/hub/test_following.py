"""The stock culler follows a server's own account where the hub has our proxy class, and only for
servers that report one. Before each server a page is left open: a websocket, and two requests a
second."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
import websocket

from ..support.hub import Hub, HubServer, HubSettings, ServerSettings, hub_running
from ..support.hub_culler import Look, culled, spared
from ..support.proof import PROOF, note
from ..support.server import wait_for
from .conftest import TIMEOUT

STOCK = ServerSettings(enabled=False)


def reporting(folder: Path) -> ServerSettings:
    """A server that reports what `folder/account` says; without the file, its start."""
    return ServerSettings(
        enabled=False,
        extensions={"tests.support.reporting": True},
        environment={"MLINFN_TEST_ACCOUNT": str(folder / "account")},
    )


@contextmanager
def at_work(*folders: Path) -> Iterator[None]:
    """The accounts of these servers move on until the context ends; they stay where they are then."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.2):
            for folder in folders:
                (folder / "account").write_text(str(time.time()))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


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


def seconds_of(text: str) -> float:
    """Since the epoch, of what the hub writes."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def reports(server: HubServer) -> str:
    return f"/user/{server.user}/ reports its own activity"


def revoke(server: HubServer) -> None:
    """Take away the server's token."""
    _, body = server.hub.api("GET", f"users/{server.user}/tokens")
    for token in body["api_tokens"]:
        if token["note"].startswith("Server at"):
            assert server.hub.api("DELETE", f"users/{server.user}/tokens/{token['id']}")[0] == 204


def at_its_end(server: HubServer) -> Look:
    """What the culler saw of the server when it stopped it."""
    look = wait_for(lambda: culled(server))
    timeout = server.hub.settings.culler_timeout or 0
    assert look.inactive >= timeout
    if PROOF:
        note(f"culler: {look.name} was stopped after {look.inactive} s, timeout {timeout} s")
        assert look.inactive <= timeout + 2
    wait_for(lambda: not server.running())
    return look


@dataclass(frozen=True)
class Scene:
    """Servers that lived beside each other, until the culler had stopped some and then looked at all others.

    Attributes:
        account: seconds since the epoch: the last that those say of themselves which are to be culled.
        figures: the last activity that the hub had of each.
        kept: those that a look let be which came after the end of the others.
    """

    servers: Mapping[str, HubServer]
    account: float
    figures: Mapping[str, float]
    kept: Collection[str]


CULLED = ("idle", "subclass", "extension")
KEPT = ("works", "replaced", "revoked", "stock")
WITHOUT_TAB = ("works", "alone")


@pytest.fixture(scope="module")
def scene(following_hub: Hub, stock_hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """All at once, as each takes its time. Those named `tab` and `alone` are on the stock hub."""
    names = ("idle", "subclass", "works", "replaced", "revoked", "tab", "alone")
    folders = {name: tmp_path_factory.mktemp(name) for name in names}
    told = {"MLINFN_HUB_CULL_TIMEOUT": str(TIMEOUT), "MLINFN_HUB_CULL_EVERY": "1"}
    settings = {
        **{name: reporting(folder) for name, folder in folders.items()},
        "subclass": replace(reporting(folders["subclass"]), as_extension=False),
        "extension": ServerSettings(own_server=True, environment=told),
        "stock": STOCK,
    }
    (folders["works"] / "account").write_text(str(time.time() + 1800))

    def start(name: str) -> HubServer:
        hub = stock_hub if name in ("tab", "alone") else following_hub
        if name == "replaced":
            hub.start(name, settings=settings[name]).stop()
            settings[name] = STOCK
        server = hub.start(name, settings=settings[name])
        # At once: the culler waits for nobody, and others take their time to start.
        if name not in WITHOUT_TAB:
            tabs.enter_context(open_tab(server))
        if name == "extension":
            status, kernel = server.request("POST", "api/kernels", {"name": "python3"})
            assert status == 201, kernel
        return server

    ended = ("idle", "subclass", "alone")
    with ThreadPoolExecutor(4) as pool, ExitStack() as tabs:
        with at_work(*(folders[name] for name in (*ended, "revoked", "tab"))):
            servers = dict(zip(settings, pool.map(start, settings), strict=True))
            declared = [reports(servers[name]) for name in (*CULLED, "revoked")]
            wait_for(lambda: all(each in following_hub.log() for each in declared))
        revoke(servers["revoked"])
        account = time.time()
        (folders["revoked"] / "account").write_text(str(account + 1800))
        for name in (*ended, "tab"):
            (folders[name] / "account").write_text(str(account))
        figures: dict[str, float] = {}
        before = {name: [servers[each] for each in CULLED] for name in KEPT} | {"tab": [servers["alone"]]}

        def is_kept(name: str) -> bool:
            return spared(servers[name], after=before[name])

        def over() -> bool:
            for name, server in servers.items():
                if (state := server.state()) is not None:
                    figures[name] = seconds_of(state["last_activity"])
            return all(is_kept(name) or culled(servers[name]) for name in before)

        wait_for(over)
        return Scene(servers, account, figures, {name for name in before if is_kept(name)})


@pytest.mark.parametrize("name", ["idle", "subclass"])
def test_a_server_that_says_it_is_idle_is_culled_on_time_whatever_is_open(scene: Scene, name: str) -> None:
    at_its_end(scene.servers[name])
    # What the hub went by is what the server said, and not what the proxy saw of its tab.
    assert abs(scene.figures[name] - scene.account) < 0.01
    assert reports(scene.servers[name]) in scene.servers[name].hub.log()


def test_a_server_without_our_extension_is_kept_by_its_traffic_on_the_same_hub(scene: Scene) -> None:
    assert "stock" in scene.kept
    assert reports(scene.servers["stock"]) not in scene.servers["stock"].hub.log()


def test_a_server_at_work_by_its_own_account_is_kept_with_nothing_open(scene: Scene) -> None:
    assert "works" in scene.kept


def test_the_next_server_of_a_user_without_the_extension_is_as_ever(scene: Scene) -> None:
    assert "replaced" in scene.kept


def test_a_server_whose_reports_are_refused_is_kept_by_its_traffic(scene: Scene) -> None:
    """It cannot say that it is at work: in doubt, nobody is stopped."""
    assert "revoked" in scene.kept
    server = scene.servers["revoked"]
    assert scene.figures["revoked"] < scene.account + 1800, "what it said was not heard"
    assert "/user/revoked/ no longer reports its own activity" in server.hub.log()
    assert "could not be reported to the hub" in server.log()


def test_without_the_proxy_class_an_open_tab_wins(scene: Scene) -> None:
    server = scene.servers["tab"]
    assert "tab" in scene.kept, "one with the same account and no tab was stopped before"
    at_its_end(scene.servers["alone"])
    # Its tab is closed by now.
    at_its_end(server)


def test_a_hub_that_was_restarted_follows_as_before(tmp_path: Path) -> None:
    # Longer than a hub is away.
    with hub_running(tmp_path / "hub", HubSettings(culler_timeout=10, proxy_class="mlinfn")) as hub:
        server = hub.start("ada", settings=reporting(tmp_path))
        with open_tab(server):
            with at_work(tmp_path):
                wait_for(lambda: reports(server) in hub.log())
                hub.kill_hub()
                hub.start_hub()
                assert server.ready()
                wait_for(lambda: hub.log().count(reports(server)) == 2)
            at_its_end(server)
    assert hub.log().count(reports(server)) == 2


def test_the_extension_itself_is_followed_with_a_kernel_idle_and_a_page_open(scene: Scene) -> None:
    server = scene.servers["extension"]
    at_its_end(server)
    assert reports(server) in server.hub.log()
    assert "Kernel shutdown" in server.log(), "stopped in order"
