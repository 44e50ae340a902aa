"""What other extensions report, one by one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.sources.stock import PROXY, REPLACED, StockSource
from tests.support.clock import Clock


def written(clock: Clock, ago: float = 0.0) -> datetime:
    return datetime.fromtimestamp(clock.wall() - ago, timezone.utc)


def begun(settings: dict[str, Any], **more: Any) -> tuple[Clock, StockSource]:
    clock = Clock()
    source = StockSource(settings, clock=clock, wall=clock.wall, **more)
    clock.pass_time(3600)
    return clock, source


async def test_an_unknown_extension_counts_by_its_name() -> None:
    settings: dict[str, Any] = {"last_activity_times": {}}
    clock, source = begun(settings)
    assert await source.look(clock()) == Signal("other", None)
    settings["last_activity_times"]["their-extension"] = written(clock, 30)
    assert await source.look(clock()) == Signal(
        "other", clock() - 30, "The extension their-extension reported activity."
    )
    clock.pass_time(60)
    settings["older_last_activity"] = written(clock, 10)
    signal = await source.look(clock())
    assert (signal.last, signal.detail) == (clock() - 10, "The extension older reported activity.")
    clock.pass_time(600)
    assert await source.look(clock()) == signal


async def test_what_has_a_source_of_its_own_is_replaced_and_nothing_else() -> None:
    settings: dict[str, Any] = {"last_activity_times": {}}
    clock, source = begun(settings)
    settings |= {"api_last_activity": written(clock), "terminal_last_activity": written(clock)}
    assert (await source.look(clock())).last is None
    settings["last_activity_times"][PROXY] = written(clock)
    assert (await source.look(clock())).last == clock()
    clock, source = begun(settings, replaced=REPLACED | {PROXY})
    assert (await source.look(clock())).last is None


async def test_a_clock_that_is_set_is_no_activity() -> None:
    settings: dict[str, Any] = {}
    clock, source = begun(settings)
    settings["their_last_activity"] = written(clock, 30)
    signal = await source.look(clock())
    clock.offset += 86_400
    clock.pass_time(60)
    assert await source.look(clock()) == signal
    settings["their_last_activity"] = written(clock, -500)
    assert (await source.look(clock())).last == clock()


async def test_what_is_no_time_is_no_activity() -> None:
    settings: dict[str, Any] = {"their_last_activity": None, "last_activity_times": {"other": "now"}}
    clock, source = begun(settings)
    assert await source.look(clock()) == Signal("other", None)


async def test_jupyter_servers_own_are_all_known(jp_serverapp: Any, jp_fetch: Any) -> None:
    clock = Clock()
    settings = jp_serverapp.web_app.settings
    source = StockSource(settings, clock=clock, wall=clock.wall)
    await jp_fetch("api", "contents")
    assert "api_last_activity" in settings
    assert await source.look(clock()) == Signal("other", None)
