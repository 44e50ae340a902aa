"""What all tests of this room need that start processes from an event loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def processes_are_reaped(jp_asyncio_loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """Those that a test, or its end, has killed: the loop hears of it while it still runs."""
    yield
    if jp_asyncio_loop is None:
        return
    while any(thread.name.startswith("asyncio-waitpid") for thread in threading.enumerate()):
        jp_asyncio_loop.run_until_complete(asyncio.sleep(0))
    for _ in range(20):
        jp_asyncio_loop.run_until_complete(asyncio.sleep(0))
