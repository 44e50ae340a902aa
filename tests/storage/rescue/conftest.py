"""The two services of a server, in the test's process, on whose event loop no time passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ...support.clock import Clock, stand_still
from .services import Server
from .support import Ground


@pytest.fixture
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Clock:
    """What is late is late because the test passes time."""
    return stand_still(jp_asyncio_loop)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.fixture
def server(
    ground: Ground, clock: Clock, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Callable[[], Server]]:
    made: list[Server] = []

    def make() -> Server:
        made.append(Server(ground))
        return made[-1]

    yield make
    for each in made:
        jp_asyncio_loop.run_until_complete(each.close())
