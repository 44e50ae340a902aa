"""Pages and what they report of a person."""

from __future__ import annotations

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.sources.page import FORGOTTEN_AFTER, Page, PageSource
from tests.support.clock import Clock


def begun() -> tuple[Clock, PageSource]:
    clock = Clock()
    source = PageSource(clock=clock)
    clock.pass_time(3600)
    return clock, source


async def test_input_counts_when_it_was_and_an_open_page_does_not() -> None:
    clock, source = begun()
    source.report("page-one", visible=True)
    assert await source.look(clock()) == Signal("page", None)
    source.report("page-one", input_seconds_ago=45.0, visible=True)
    signal = await source.look(clock())
    assert signal.last == clock() - 45
    assert signal.detail == "Somebody used the mouse or the keyboard in a page."
    clock.pass_time(60)
    source.report("page-one", visible=True)
    source.report("page-two", input_seconds_ago=500.0)
    assert await source.look(clock()) == signal


async def test_input_is_never_in_the_future_nor_before_the_server() -> None:
    clock, source = begun()
    source.report("page-one", input_seconds_ago=86_400.0)
    assert (await source.look(clock())).last is None
    source.report("page-one", input_seconds_ago=-50.0)
    assert (await source.look(clock())).last == clock()


def test_pages_are_there_until_they_close_or_are_not_heard_for_a_while() -> None:
    clock, source = begun()
    source.report("page-one", visible=True)
    source.report("page-two", visible=False)
    source.report("page-three")
    assert [page.id for page in source.pages] == ["page-one", "page-two", "page-three"]
    assert source.seen
    source.report("page-one", closing=True)
    assert not source.seen
    clock.pass_time(FORGOTTEN_AFTER)
    source.report("page-three")
    clock.pass_time(1)
    assert source.pages == [Page("page-three", clock() - 1)]


def test_what_a_page_does_not_say_again_stays() -> None:
    _, source = begun()
    source.report("page-one", visible=True)
    source.report("page-one", input_seconds_ago=1.0)
    assert source.seen


def test_pages_without_end_are_not_kept() -> None:
    clock, source = begun()
    for number in range(1000):
        source.report(f"page-{number}", visible=True)
    assert len(source.pages) == 50
    assert source.pages[-1] == Page("page-999", clock(), visible=True)
