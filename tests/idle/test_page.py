"""What pages report of a person."""

from __future__ import annotations

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.sources.page import PageSource
from tests.support.clock import Clock


def begun() -> tuple[Clock, PageSource]:
    clock = Clock()
    source = PageSource(clock=clock)
    clock.pass_time(3600)
    return clock, source


async def test_input_counts_when_it_was() -> None:
    clock, source = begun()
    assert await source.look(clock()) == Signal("page", None)
    source.report(input_seconds_ago=45.0)
    signal = await source.look(clock())
    assert signal.last == clock() - 45
    assert signal.detail == "Somebody used the mouse or the keyboard in a page."
    clock.pass_time(60)
    source.report(input_seconds_ago=500.0)
    assert await source.look(clock()) == signal


async def test_input_is_never_in_the_future_nor_before_the_server() -> None:
    clock, source = begun()
    source.report(input_seconds_ago=86_400.0)
    assert (await source.look(clock())).last is None
    source.report(input_seconds_ago=-50.0)
    assert (await source.look(clock())).last == clock()
