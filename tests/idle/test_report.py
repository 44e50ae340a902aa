"""When a server declares that it reports its own activity, and what is reported when all is not well."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from jupyter_mlinfn.errors import DependencyError, NotAllowedError
from jupyter_mlinfn.idle import report as module
from jupyter_mlinfn.idle.hub import FURTHEST_AHEAD, HubClient
from jupyter_mlinfn.idle.report import DECLARATION, FORGIVEN, ActivityReport, install_activity_report
from jupyter_mlinfn.times import utc_now

from ..support.clock import Clock
from ..support.hub_api import TOKEN, HubApi
from ..support.patience import PATIENCE

STOCK = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


class Around:
    """A report and what is around it; `at` is the account."""

    def __init__(self, api: HubApi) -> None:
        self.headers: dict[str, str] = {"X-JupyterHub-Version": "6"}
        self.at: datetime | None = utc_now()
        self.clock = Clock()
        self.report = ActivityReport(
            HubClient(api.place, answers_within=PATIENCE),
            self.account,
            lambda: STOCK,
            self.headers,
            logging.getLogger("tests"),
            clock=self.clock,
        )

    def account(self) -> datetime:
        if self.at is None:
            raise RuntimeError("planted fault")
        return self.at

    def declares(self) -> bool:
        assert self.headers["X-JupyterHub-Version"] == "6", "what others put there stays"
        return self.headers.get(DECLARATION[0]) == DECLARATION[1]


def during(api: HubApi, course: Callable[[Around], Awaitable[None]]) -> None:
    async def run() -> None:
        around = Around(api)
        await course(around)
        await around.report.close()
        assert not around.declares(), "a server that ends reports no longer"

    asyncio.run(run())


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POST_PATIENCE", "STOP_PATIENCE"):
        monkeypatch.setattr(module, name, 0.0)


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Each test runs a loop of its own."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """No server of pytest-jupyter's."""


def test_a_server_declares_once_the_hub_took_a_report() -> None:
    async def course(around: Around) -> None:
        assert not around.declares()
        now = time.time()
        assert await around.report.post_activity(now)
        assert around.declares()
        assert api.told == [pytest.approx(now, abs=0.002)]
        assert api.requests == [("POST", "/hub/api/users/ada%20b%40c/activity")]

    with HubApi() as api:
        during(api, course)


def test_a_refusal_takes_the_declaration_back_at_once_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def course(around: Around) -> None:
        await around.report.post_activity(time.time())
        api.status = 403
        for _ in range(3):
            assert not await around.report.post_activity(time.time())
            assert not around.declares()
        assert isinstance(around.report.trouble, NotAllowedError)
        api.status = None
        assert await around.report.post_activity(time.time())
        assert around.declares()
        assert around.report.trouble is None

    caplog.set_level("INFO", "tests")
    with HubApi() as api:
        during(api, course)
    assert [record.levelname for record in caplog.records if record.name == "tests"] == ["WARNING", "INFO"]
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", [500, 503, 429, 0])
def test_while_a_hub_is_away_the_declaration_stays_for_a_minute(status: int) -> None:
    async def course(around: Around) -> None:
        await around.report.post_activity(time.time())
        around.clock.pass_time(3600)  # Idle: there was nothing to say.
        if status:
            api.status = status
        else:
            api.leave()
        assert not await around.report.post_activity(time.time())
        assert isinstance(around.report.trouble, DependencyError)
        assert around.declares()
        around.clock.pass_time(FORGIVEN + 1)
        assert not await around.report.post_activity(time.time())
        assert not around.declares()

    with HubApi() as api:
        during(api, course)


def test_what_is_reported_is_never_further_ahead_than_the_hub_takes() -> None:
    async def course(around: Around) -> None:
        around.at = utc_now() + timedelta(hours=12)
        assert around.report.last_activity() <= utc_now() + FURTHEST_AHEAD
        before = utc_now()
        assert await around.report.post_activity(around.at.timestamp())
        told = datetime.fromtimestamp(api.told[-1], timezone.utc)
        # What is told is told to the millisecond.
        assert before + FURTHEST_AHEAD - timedelta(milliseconds=1) <= told <= utc_now() + FURTHEST_AHEAD

    with HubApi() as api:
        during(api, course)


def test_an_account_that_fails_gives_way_to_the_stock_figure_without_a_declaration(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def course(around: Around) -> None:
        await around.report.post_activity(time.time())
        around.at = None
        assert around.report.last_activity() == around.report.last_activity() == STOCK
        assert not around.declares()
        assert await around.report.post_activity(time.time())
        assert not around.declares(), "the stock figure is not our account"
        around.at = utc_now()
        assert around.report.last_activity() == around.at
        await around.report.post_activity(time.time())
        assert around.declares()

    with HubApi() as api:
        during(api, course)
    assert [record.message for record in caplog.records].count(
        "The account of activity failed; jupyter_server's own is reported."
    ) == 1


def test_a_hub_that_does_not_answer_neither_shows_nor_stops_a_server() -> None:
    async def course(around: Around) -> None:
        assert await around.report.stop_own_server()
        assert api.requests[-1] == ("DELETE", "/hub/api/users/ada%20b%40c/server")
        api.leave()
        assert await around.report.read_own_server() is None
        assert not await around.report.stop_own_server()

    with HubApi() as api:
        during(api, course)


def test_jupyter_server_goes_by_the_account_under_a_hub_and_only_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = utc_now()
    web_app = SimpleNamespace(settings={}, last_activity=lambda: STOCK)
    server = SimpleNamespace(web_app=web_app, log=logging.getLogger("tests"))
    for name in ("API_URL", "API_TOKEN", "USER", "SERVICE_PREFIX"):
        monkeypatch.delenv(f"JUPYTERHUB_{name}", raising=False)
    assert install_activity_report(server, lambda: at) is None
    assert web_app.last_activity() == STOCK
    with HubApi() as api:
        assert install_activity_report(server, lambda: at, client=HubClient(api.place)) is not None
    assert web_app.last_activity() == at
    assert web_app.settings == {"headers": {}}
