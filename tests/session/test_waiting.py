"""A stop that waits for cells, with kernels as the room is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jupyter_mlinfn.idle.models import Busy
from jupyter_mlinfn.idle.sources.kernels import KernelSource, Request
from jupyter_mlinfn.session.waiting import Waiting

from ..support.kernels import until

SETTLED = 0.1


class World:
    """A source that hears kernels, and who waits for them."""

    def __init__(self, look_every: float = 600.0) -> None:
        self.here: set[str] = set()
        self.finished = asyncio.Event()
        self.looks = 0
        self.source = KernelSource(lambda kernel_id: kernel_id in self.here)
        self.waiting = Waiting(self._running, self.finished.set, settled=SETTLED, look_every=look_every)
        self.source.listener = self.waiting.heard

    def cell(self, kernel: str, message: str) -> Request:
        request = Request(message, "execute_request")
        self.here.add(kernel)
        self.source.begins(kernel, request)
        return request

    async def begin(self) -> None:
        self.waiting.begin(await self.source.executing())

    async def _running(self) -> Sequence[Busy]:
        self.looks += 1
        return await self.source.executing()


async def test_it_is_over_when_all_cells_of_then_have_finished() -> None:
    world = World()
    one, other = world.cell("one", "1"), world.cell("other", "2")
    await world.begin()
    assert list(world.waiting.titles) == ["A kernel", "A kernel"]
    world.source.ends("one", one)
    await until(lambda: len(world.waiting.titles) == 1)
    assert not world.finished.is_set()
    # One that begins later is not waited for, nor the next of a kernel that has finished.
    world.cell("third", "3")
    world.cell("one", "4")
    world.source.ends("other", other)
    await asyncio.wait_for(world.finished.wait(), 10)

    assert world.waiting.since is None


async def test_cells_that_are_queued_are_waited_for() -> None:
    world = World()
    first = world.cell("one", "1")
    await world.begin()
    world.source.ends("one", first)
    # As a kernel tells of the next one of its queue.
    second = world.cell("one", "2")
    await asyncio.sleep(3 * SETTLED)
    assert not world.finished.is_set()
    world.source.ends("one", second)
    await asyncio.wait_for(world.finished.wait(), 10)

    assert list(world.waiting.titles) == []


async def test_a_cell_that_waits_for_an_answer_has_not_finished() -> None:
    world = World()
    world.cell("one", "1")
    world.source.asks("one")
    await world.begin()
    assert list(world.waiting.titles) == ["A kernel"]
    world.waiting.heard()
    await asyncio.sleep(3 * SETTLED)

    assert not world.finished.is_set()
    world.waiting.drop()


@pytest.mark.parametrize("how", ["shut", "restarted", "died"])
async def test_a_kernel_that_is_gone_has_finished(how: str) -> None:
    world = World(look_every=0.05 if how == "died" else 600.0)
    world.cell("one", "1")
    await world.begin()
    if how != "restarted":
        world.here.clear()
    if how != "died":
        world.source.gone("one")
    await asyncio.wait_for(world.finished.wait(), 10)

    assert world.waiting.since is None


async def test_who_calls_it_off_is_not_stopped_later() -> None:
    world = World()
    cell = world.cell("one", "1")
    await world.begin()
    world.source.ends("one", cell)
    world.waiting.drop()
    await asyncio.sleep(3 * SETTLED)

    assert not world.finished.is_set()
    assert world.waiting.since is None


async def test_nothing_looks_while_nothing_happens() -> None:
    world = World()
    world.cell("one", "1")
    await world.begin()
    await asyncio.sleep(5 * SETTLED)

    assert world.looks == 0
    world.waiting.drop()
