"""A stop that waits for cells, with kernels as the room is told of them, and a clock that is turned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jupyter_mlinfn.idle.models import Busy
from jupyter_mlinfn.idle.sources.kernels import KernelSource, Request
from jupyter_mlinfn.session.waiting import LOOK_EVERY, SETTLED, Waiting

from ..support.clock import Clock, stand_still, until


class World:
    """A source that hears kernels, and who waits for them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.here: set[str] = set()
        self.finished = asyncio.Event()
        self.looks = 0
        self.source = KernelSource(lambda kernel_id: kernel_id in self.here)
        self.waiting = Waiting(self._running, self.finished.set)
        self.source.listener = self.waiting.heard

    def cell(self, kernel: str, message: str) -> Request:
        request = Request(message, "execute_request")
        self.here.add(kernel)
        self.source.begins(kernel, request)
        return request

    async def begin(self) -> None:
        self.waiting.begin(await self.source.executing())

    async def looked(self, after: float = 0.0) -> None:
        """Let seconds pass, and wait until it has looked by itself, and done what follows from that."""
        looks = self.looks
        self.clock.pass_time(after)
        await until(lambda: self.looks > looks)

    async def _running(self) -> Sequence[Busy]:
        found = await self.source.executing()
        self.looks += 1
        return found


async def whatever_is_due() -> None:
    """Each thing that is due takes a turn or two of the loop."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def world(jp_asyncio_loop: asyncio.AbstractEventLoop) -> World:
    return World(stand_still(jp_asyncio_loop))


async def test_it_is_over_when_all_cells_of_then_have_finished(world: World) -> None:
    one, other = world.cell("one", "1"), world.cell("other", "2")
    await world.begin()
    assert list(world.waiting.titles) == ["A kernel", "A kernel"]
    world.source.ends("one", one)
    await world.looked()
    await world.looked(SETTLED)
    assert len(world.waiting.titles) == 1
    assert not world.finished.is_set()
    # One that begins later is not waited for, nor the next of a kernel that has finished.
    world.cell("third", "3")
    world.cell("one", "4")
    world.source.ends("other", other)
    await world.looked()
    assert not world.finished.is_set()
    await world.looked(SETTLED)

    assert world.finished.is_set()
    assert world.waiting.since is None


@pytest.mark.parametrize("seen_between", [False, True])
async def test_cells_that_are_queued_are_waited_for(world: World, seen_between: bool) -> None:
    first = world.cell("one", "1")
    await world.begin()
    world.source.ends("one", first)
    if seen_between:
        await world.looked()
        world.clock.pass_time(SETTLED / 2)
    # As a kernel tells of the next one of its queue.
    second = world.cell("one", "2")
    await world.looked()
    world.clock.pass_time(3 * SETTLED)
    world.waiting.heard()
    await world.looked()
    assert not world.finished.is_set()
    world.source.ends("one", second)
    await world.looked()
    await world.looked(SETTLED)

    assert world.finished.is_set()
    assert list(world.waiting.titles) == []


async def test_a_cell_that_waits_for_an_answer_has_not_finished(world: World) -> None:
    world.cell("one", "1")
    world.source.asks("one")
    await world.begin()
    assert list(world.waiting.titles) == ["A kernel"]
    for _ in range(2):
        world.waiting.heard()
        await world.looked()
        world.clock.pass_time(3 * SETTLED)

    assert not world.finished.is_set()
    world.waiting.drop()


@pytest.mark.parametrize("how", ["shut", "restarted", "died"])
async def test_a_kernel_that_is_gone_has_finished(world: World, how: str) -> None:
    world.cell("one", "1")
    await world.begin()
    if how != "restarted":
        world.here.clear()
    if how != "died":
        world.source.gone("one")
    # Of one that died nobody tells.
    await world.looked(LOOK_EVERY if how == "died" else 0.0)
    await world.looked(SETTLED)

    assert world.finished.is_set()
    assert world.waiting.since is None


@pytest.mark.parametrize("seen_before", [False, True])
async def test_who_calls_it_off_is_not_stopped_later(world: World, seen_before: bool) -> None:
    cell = world.cell("one", "1")
    await world.begin()
    world.source.ends("one", cell)
    if seen_before:
        await world.looked()
    looks = world.looks
    world.waiting.drop()
    world.clock.pass_time(3 * SETTLED)
    await whatever_is_due()

    assert not world.finished.is_set()
    assert world.waiting.since is None
    assert world.looks == looks


async def test_nothing_looks_while_nothing_happens(world: World) -> None:
    world.cell("one", "1")
    await world.begin()
    world.clock.pass_time(LOOK_EVERY - 1)
    await whatever_is_due()
    assert world.looks == 0

    await world.looked(1)
    world.waiting.drop()
