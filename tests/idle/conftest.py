"""The room with everything outside of it under the test's hand: clocks, the hub, the storage."""

from __future__ import annotations

import asyncio
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from jupyter_server.utils import url_path_join
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_mlinfn.idle.account import Account
from jupyter_mlinfn.idle.around import Around, Away
from jupyter_mlinfn.idle.clocks import Clocks
from jupyter_mlinfn.idle.deadlines import ServerRules
from jupyter_mlinfn.idle.ending import Limits
from jupyter_mlinfn.idle.hubside import HubSide
from jupyter_mlinfn.idle.models import Moment, Policy, Signal, SignalSource
from jupyter_mlinfn.idle.others import Others
from jupyter_mlinfn.idle.policy import Culler
from jupyter_mlinfn.idle.service import IdleService
from jupyter_mlinfn.idle.sources.page import PageSource

from ..support.clock import Clock, until
from ..support.patience import PATIENCE

QUICK = Limits(save=0.3, hidden=0.1, nobody=0.02, write=0.3, stop=0.1)


class SleepyClock(Clock):
    """Also of a machine that may sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = 0.0

    def boot(self) -> float:
        return self.now + self.asleep

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: no second passes for its processes, all do for others."""
        self.asleep += seconds
        self.offset += seconds

    def clocks(self) -> Clocks:
        return Clocks(self, self.wall, self.boot)


class Told:
    """A source that says what a test tells it."""

    def __init__(self, source: SignalSource = "kernels") -> None:
        self.source = source
        self.last: Moment | None = None
        self.detail = ""
        self.error: Exception | None = None
        self.looks = 0

    async def look(self, now: Moment) -> Signal:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return Signal(self.source, self.last, self.detail)


class OtherHub:
    """A hub as its API behaves; up or down, with a token that may more or less."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.up = True
        self.may_stop = True
        self.may_read = False
        self.started: float | None = None
        self.last: float | None = None
        self.posts: list[float] = []
        self.stopped = asyncio.Event()

    async def post_activity(self, epoch: float) -> bool:
        if self.up:
            assert epoch <= self._clock.wall() + 3600, "the hub refuses more than an hour ahead"
            self.posts.append(epoch)
            self.last = max(epoch, self.last or 0.0)
        return self.up

    async def read_own_server(self) -> tuple[float | None, float | None] | None:
        return (self.last, self.started) if self.up and self.may_read else None

    async def stop_own_server(self) -> bool:
        if self.up and self.may_stop:
            self.stopped.set()
        return self.up and self.may_stop


class Copies:
    """The other side of a rescue: what it was asked for, and what it answers when a test lets it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[str] | None, float]] = []
        self.result: Mapping[str, Any] | None = None
        self.error: Exception | None = None
        self.go = asyncio.Event()
        self.cancelled = False

    async def __call__(
        self, paths: Sequence[str] | None, seconds: float, began: Callable[[str], None]
    ) -> Mapping[str, Any] | None:
        self.asked.append((paths, seconds))
        began("job-of-the-rescue")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return self.result


class World:
    """One service and what is around it. Also on its event loop no time passes but what the test passes."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        culler: Culler | None = None,
        hub: bool = False,
        environment: Mapping[str, str] | None = None,
        away: Away | None = None,
        limits: Limits = QUICK,
        copies: bool = False,
    ) -> None:
        self.clock = SleepyClock()
        asyncio.get_running_loop().time = self.clock  # type: ignore[method-assign]
        self.started = self.clock.now
        self.kernels = Told()
        self.rules = ServerRules()
        self.changes = 0
        self.records: list[Mapping[str, Any]] = []
        self.storage_error: OSError | None = None
        self.ended = asyncio.Event()
        self.copies = Copies()
        self.moves = 0
        self.lost: Mapping[str, int] | None = None
        self.other_hub = OtherHub(self.clock)
        policy, culler = policy or Policy(3600.0), culler or Culler()
        clocks = self.clock.clocks()
        self.page = PageSource(clock=self.clock)
        around = Around(
            self._changed,
            lambda: self.rules,
            environment or {},
            self._write,
            self.ended.set,
            away,
            self.page,
            Others(self.copies, lambda: {"gpu": ["MIG 1g.5gb"]}, lambda: self.lost, self._moved)
            if copies
            else Others(),
        )
        self.service = IdleService(
            Account(
                [self.kernels, self.page],
                started=self.started,
                timeout=policy.timeout,
                longest_life=policy.longest_life,
            ),
            policy,
            culler,
            around,
            started=self.started,
            hub=HubSide(self.other_hub, clocks, culler, 300.0) if hub else None,
            clocks=clocks,
            limits=limits,
        )
        _WORLDS.append(self)

    async def at(self, seconds: float) -> dict[str, Any]:
        """What `GET idle` answers that long after the start, when what was due is done."""
        self.clock.now = self.started + seconds
        await self.service.tick()
        return await self.service.answer()

    async def over(self) -> Mapping[str, Any]:
        """The record of the stop, once the process is told to end or the hub to end it;
        time passes meanwhile."""
        await self.in_time(lambda: self.ended.is_set() or self.other_hub.stopped.is_set())
        return self.records[-1] if self.records else {}

    async def in_time(self, look: Callable[[], Any], seconds: float = 10.0) -> None:
        """Pass time, at most so much, until that is true."""
        end = self.clock.now + seconds
        while True:
            await settle()
            if look():
                return
            assert self.clock.now < end, f"it did not come in {seconds:g} s by the clock of the test"
            self.clock.pass_time(0.01)

    def _changed(self) -> None:
        self.changes += 1

    def _moved(self) -> None:
        self.moves += 1

    def _write(self, body: Mapping[str, Any]) -> None:
        if self.storage_error is not None:
            raise self.storage_error
        self.records.append(body)


async def settle() -> None:
    """Let everybody do what takes no time by the clock: also a thread, which takes some by the machine's."""
    await until(lambda: not any(each.name == "mlinfn-last-stop" for each in threading.enumerate()))
    for _ in range(50):
        await asyncio.sleep(0)


_WORLDS: list[World] = []


@pytest.fixture(autouse=True)
def no_world_goes_on(jp_asyncio_loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """What a test leaves in the middle of its end does not outlive it.

    Args:
        jp_asyncio_loop: None in files whose tests have loops of their own.
    """
    yield
    while _WORLDS:
        _WORLDS.pop().service.ending.close()
    if jp_asyncio_loop is not None:
        # Who ends a server afterwards goes by the machine's clock.
        vars(jp_asyncio_loop).pop("time", None)
        jp_asyncio_loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture
def clock() -> SleepyClock:
    return SleepyClock()


@pytest.fixture
def jp_fetch(jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    """As pytest-jupyter's, without its limit of 20 s."""
    return partial(jp_fetch, request_timeout=PATIENCE, connect_timeout=PATIENCE)


@pytest.fixture
def jp_ws_fetch(
    http_server: Any, jp_auth_header: Mapping[str, str], jp_http_port: int, jp_base_url: str
) -> Callable[..., Any]:
    """As pytest-jupyter's, without Tornado's limit of 20 s: a websocket waits until its kernel is there."""

    def connect(*parts: str, params: Mapping[str, str] | None = None) -> Any:
        path = url_path_join(jp_base_url, *(urllib.parse.quote(part) for part in parts))
        url = f"ws://127.0.0.1:{jp_http_port}{path}?{urllib.parse.urlencode(params or {})}"
        request = HTTPRequest(
            url, headers=dict(jp_auth_header), connect_timeout=PATIENCE, request_timeout=PATIENCE
        )
        return websocket_connect(request)

    return connect
