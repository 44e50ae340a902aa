"""People and programs behind jupyter-server-proxy: rules, and a real application behind a real proxy."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.observers import proxied as observer
from jupyter_mlinfn.idle.sources.proxied import ProxiedSource, Request
from tests.support.clock import Clock
from tests.support.patience import PATIENCE, until

FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin"}


class Rules:
    """A source that is told what passed."""

    def __init__(self, *ignored: str) -> None:
        self.clock = Clock()
        self.source = ProxiedSource(ignored, clock=self.clock)

    def counted(self, tell: Callable[[], None]) -> bool:
        self.source._last = None
        tell()
        return self.source._last == self.clock()

    def asks(self, path: str, method: str = "GET", headers: Mapping[str, str] = FETCH) -> bool:
        request = Request("TensorBoard", method, path, HTTPHeaders(headers))
        return self.counted(lambda: self.source.request(request))

    def sends(self, frame: str | bytes, connection: int = 1) -> bool:
        return self.counted(lambda: self.source.frame("VS Code", "/vscode/", connection, frame))

    def after(self, seconds: float) -> Rules:
        self.clock.pass_time(seconds)
        return self


class TestRequests:
    def test_a_poll_at_the_pace_that_is_taken_for_one_time_does_not_count(self) -> None:
        rules = Rules()
        rules.asks("/data")
        paces = [1.99, 2.01, 2.02, 1.98, 1.99, 2.03, 2.0, 1.97, 2.04, 2.02] * 5
        assert [pace for pace in paces if rules.after(pace).asks("/data")] == []

    @pytest.mark.parametrize("pace", [1, 2, 3, 5, 10, 30])
    def test_a_timer_behind_a_bad_network_is_no_person_for_hours(self, pace: float) -> None:
        rules = Rules()
        chance = random.Random(6)  # noqa: S311 - a sample
        counted, before = [], 0.0
        for tick in range(1, int(8 * 3600 / pace)):
            # Often a little late, at times by up to half, and now and then not there at all.
            late = pace * (chance.random() * 0.1 if chance.random() < 0.9 else chance.random() / 2)
            if chance.random() < 0.01:
                continue
            at = tick * pace + late
            if rules.after(at - before).asks("/data"):
                counted.append(at)
            before = at
        assert 1 <= len(counted) <= 3, "until it is known for one"
        assert all(at < 12 * pace for at in counted), counted

    def test_a_navigation_counts_and_what_a_page_loads_with_itself_does_not(self) -> None:
        rules = Rules()
        assert rules.asks("/", headers={**NAVIGATES})
        for kind in ("script", "style", "image", "font", "worker", "manifest"):
            assert not rules.asks(f"/{kind}", headers={**FETCH, "Sec-Fetch-Dest": kind})

    def test_a_page_that_loads_itself_anew_is_no_person_unless_one_says_so(self) -> None:
        rules = Rules()
        begun = {**NAVIGATES, "Sec-Fetch-User": "?1"}
        assert [rules.after(30).asks("/", headers=NAVIGATES) for _ in range(6)] == [True] * 2 + [False] * 4
        assert [rules.after(30).asks("/", headers=begun) for _ in range(3)] == [True] * 3

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_poll_is_a_program_after_it_has_shown_its_pace(self, method: str) -> None:
        rules = Rules()
        for jitter in (0.0, 0.4, -0.3):
            rules.after(30 + jitter).asks("/data/runs", method)
        assert not any(
            rules.after(30 + jitter).asks("/data/runs", method) for jitter in (0.5, -0.5, 0, 1, -1)
        )

    def test_many_requests_at_one_tick_are_one(self) -> None:
        rules = Rules()
        counted = []
        for _ in range(20):
            rules.after(29)
            counted += [rules.after(0.1).asks("/data/plugin/scalars/timeSeries", "POST") for _ in range(10)]
        assert sum(counted) == 2
        assert not any(counted[-150:])

    def test_parts_of_a_path_that_are_another_each_time_do_not_make_it_another(self) -> None:
        rules = Rules()
        polls = [rules.after(5).asks(f"/run/{n}/9f86d081-884c-7d65-9a2f/status") for n in range(9)]
        assert not any(polls[2:])

    def test_a_hidden_page_is_slowed_down_and_that_is_no_person(self) -> None:
        rules = Rules()
        for _ in range(5):
            rules.after(5).asks("/poll")
        assert not any(rules.after(60).asks("/poll") for _ in range(5))
        # Somebody looks at it again: it asks at once, sooner than its timer would.
        assert rules.after(20).asks("/poll")

    def test_a_poll_that_is_late_once_is_no_person(self) -> None:
        rules = Rules()
        for _ in range(5):
            rules.after(5).asks("/poll")
        assert [rules.after(gap).asks("/poll") for gap in (9, 5, 5, 12, 5, 5)] == [False] * 6

    def test_what_people_do_is_uneven(self) -> None:
        rules = Rules()
        gaps = [3.0, 11.0, 4.0, 40.0, 2.5, 7.0, 120.0, 600.0, 9.0, 25.0, 4.0, 1800.0]
        counted = [rules.after(gap).asks("/run", "POST") for gap in gaps]
        assert sum(counted) >= len(gaps) - 2

    def test_a_channel_that_is_opened_is_nobody(self) -> None:
        rules = Rules()
        assert not rules.asks("/events", headers={**FETCH, "Accept": "text/event-stream"})
        assert not rules.asks("/ws", headers={"Upgrade": "websocket", "Sec-Fetch-Mode": "websocket"})

    def test_what_the_admin_ignores(self) -> None:
        rules = Rules("/get_events$")
        assert not rules.asks("/rstudio/events/get_events", "POST")
        assert rules.asks("/rstudio/rpc/console_input", "POST")


class TestFrames:
    def test_typing_counts(self) -> None:
        rules = Rules()
        gaps = [1.0, 0.2, 0.31, 0.15, 0.4, 0.12, 0.5, 2.0, 0.18, 0.3, 0.11]
        counted = [rules.after(gap).sends(b"0a") for gap in gaps]
        assert sum(counted) >= len(gaps) / 2
        assert rules.after(90).sends("a line of text that somebody wrote and sent")

    @pytest.mark.parametrize("seed", range(20))
    def test_typing_counts_for_an_hour(self, seed: int) -> None:
        rules = Rules()
        chance = random.Random(seed)  # noqa: S311 - a sample
        counted = [rules.clock()]
        while rules.clock() < counted[0] + 3600:
            # Words, and thoughts.
            for _ in range(chance.randint(1, 12)):
                if rules.after(chance.lognormvariate(-1.7, 0.35)).sends(b"0a"):
                    counted.append(rules.clock())
            rules.after(chance.expovariate(1 / 5))
        gaps = [after - before for before, after in itertools.pairwise(counted)]
        assert max(gaps) < 120

    @pytest.mark.parametrize(
        "frame",
        [
            b"",
            b"\x03\x01\x00\x00\x00\x00\x07\x80\x04\x38",
            b"\x09\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00",
            "2",
            "3",
            '{"type":"ping"}',
        ],
        ids=["empty", "desktop's update", "VS Code's sign of life", "engine.io", "engine.io's pong", "ping"],
    )
    def test_heartbeats_that_are_known_do_not_count(self, frame: str | bytes) -> None:
        rules = Rules()
        assert not any(rules.after(gap).sends(frame) for gap in (1.0, 25.0, 3.0))

    def test_heartbeats_that_are_not_known_are_told_by_their_pace(self) -> None:
        rules = Rules()
        counted = [rules.after(25).sends(b"\x01alive?") for _ in range(10)]
        assert counted == [True] * 2 + [False] * 8
        assert rules.sends(b"somebody's")

    def test_each_connection_has_a_pace_of_its_own(self) -> None:
        rules = Rules()
        for _ in range(4):
            rules.after(10).sends(b"\x01alive?", 1)
        assert rules.after(3).sends(b"\x01alive?", 2)
        rules.source.closed(1)
        assert rules.sends(b"\x01alive?", 1)

    def test_paces_without_end_are_not_kept(self) -> None:
        rules = Rules()
        for connection in range(5000):
            rules.sends(b"x", connection)
        assert len(rules.source._paces) <= 2000


class Page(RequestHandler):
    def get(self, path: str = "") -> None:
        self.write("page")

    def post(self, path: str = "") -> None:
        self.write("done")


class Channel(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(f"heard {message!r}")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::jupyter_server.utils.JupyterServerAuthWarning")
class TestApplication:
    """A small one, behind jupyter-server-proxy."""

    @pytest.fixture
    def listening(self) -> socket.socket:
        (found,) = bind_sockets(0, "127.0.0.1")
        return found

    @pytest.fixture
    def jp_server_config(self, listening: socket.socket) -> dict[str, Any]:
        extensions = {"jupyter_mlinfn": True, "jupyter_server_proxy": True}
        port = listening.getsockname()[1]
        servers = {
            "quiet": {"port": port, "update_last_activity": False},
            "partly": {"port": port, "exclude_last_activity_patterns": [".*/poll"]},
        }
        return {
            "ServerApp": {"jpserver_extensions": extensions},
            "ServerProxy": {"servers": servers},
        }

    @pytest.fixture
    def source(self, jp_serverapp: Any) -> Iterator[ProxiedSource]:
        source = ProxiedSource()
        end = observer.observe(jp_serverapp.web_app, source)
        assert end is not None
        yield source
        end()

    @pytest.fixture
    def port(self, jp_serverapp: Any, jp_asyncio_loop: Any, listening: socket.socket) -> Iterator[str]:
        async def serve() -> HTTPServer:
            server = HTTPServer(Application([("/ws", Channel), ("/(.*)", Page)]))
            server.add_sockets([listening])
            return server

        server = jp_asyncio_loop.run_until_complete(serve())
        yield str(listening.getsockname()[1])
        server.stop()
        jp_asyncio_loop.run_until_complete(server.close_all_connections())

    @pytest.fixture
    def last(self, source: ProxiedSource) -> Callable[[], Awaitable[Signal]]:
        async def look() -> Signal:
            signal = await source.look(0.0)
            source._last = None
            return signal

        return look

    async def test_requests_of_people_count_and_are_answered(
        self, jp_fetch: Any, port: str, last: Callable[[], Awaitable[Signal]]
    ) -> None:
        answer = await jp_fetch("proxy", port, "index", headers={**NAVIGATES})
        assert answer.body == b"page"
        signal = await last()
        assert signal.last is not None
        assert signal.detail == f"Somebody used the application at port {port}."
        await jp_fetch("proxy", port, "a.js", headers={**FETCH, "Sec-Fetch-Dest": "script"})
        assert (await last()).last is None
        answer = await jp_fetch("proxy", port, "run", method="POST", body="", headers={**FETCH})
        assert answer.body == b"done"
        assert (await last()).last is not None

    async def test_who_is_not_logged_in_is_nobody(
        self, http_server_client: Any, jp_base_url: str, port: str, last: Callable[[], Awaitable[Signal]]
    ) -> None:
        answer = await http_server_client.fetch(
            f"{jp_base_url}proxy/{port}/",
            raise_error=False,
            follow_redirects=False,
            request_timeout=PATIENCE,
        )
        assert answer.code in (302, 403)
        assert (await last()).last is None

    @pytest.mark.parametrize(
        ("path", "counts"),
        [("quiet/run", False), ("quiet/poll", False), ("partly/run", True), ("partly/poll", False)],
    )
    async def test_what_the_admin_takes_for_no_activity_of_an_application_is_none(
        self, jp_fetch: Any, port: str, last: Callable[[], Awaitable[Signal]], path: str, counts: bool
    ) -> None:
        answer = await jp_fetch(*path.split("/"), method="POST", body="", headers={**FETCH})
        assert answer.body == b"done"
        assert ((await last()).last is not None) == counts

    async def test_nor_are_its_frames(
        self, jp_ws_fetch: Any, port: str, last: Callable[[], Awaitable[Signal]]
    ) -> None:
        for name, counts in (("quiet", False), ("partly", True)):
            channel = await jp_ws_fetch(name, "ws")
            await channel.write_message("typed")
            assert await channel.read_message() == "heard 'typed'"
            assert ((await last()).last is not None) == counts
            channel.close()

    async def test_frames_of_a_client_count_and_pings_do_not(
        self, jp_ws_fetch: Any, port: str, last: Callable[[], Awaitable[Signal]]
    ) -> None:
        socket = await jp_ws_fetch("proxy", port, "ws")
        assert (await last()).last is None
        socket.ping(b"there?")
        await socket.write_message("2")
        assert await socket.read_message() == "heard '2'"
        assert (await last()).last is None
        await socket.write_message("typed")
        assert await socket.read_message() == "heard 'typed'"
        assert (await last()).last is not None
        socket.close()

    async def test_an_untouched_page_is_idle_and_jupyter_server_proxy_says_otherwise(
        self, jp_serverapp: Any, jp_ws_fetch: Any, port: str, last: Callable[[], Awaitable[Signal]]
    ) -> None:
        socket = await jp_ws_fetch("proxy", port, "ws")
        times = jp_serverapp.web_app.settings["last_activity_times"]
        before = times["jupyter-server-proxy"]
        socket.ping(b"there?")
        await until(lambda: times["jupyter-server-proxy"] > before)
        assert (await last()).last is None
        socket.close()

    async def test_after_its_end_nothing_is_told(self, jp_serverapp: Any, jp_fetch: Any, port: str) -> None:
        source = ProxiedSource()
        end = observer.observe(jp_serverapp.web_app, source)
        assert end is not None
        end()
        await jp_fetch("proxy", port, "index", headers={**NAVIGATES})
        assert (await source.look(0.0)).last is None


async def test_without_jupyter_server_proxy_there_is_nothing_to_observe(
    jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "_MODULE", "jupyter_server_proxy.of.another.kind")
    assert observer.observe(jp_serverapp.web_app, ProxiedSource()) is None
    await asyncio.sleep(0)
