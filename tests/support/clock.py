"""A clock that a test turns; also as the clock of its event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from .patience import PATIENCE


class Clock:
    """Monotonic seconds and, `wall` apart, those since the epoch, which somebody may set anew."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.offset = 1.8e9

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.offset

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


def stand_still(loop: asyncio.AbstractEventLoop) -> Clock:
    """Give an event loop a clock: what waits there for seconds (`asyncio.sleep`, `wait_for`, `call_later`)
    waits until the test has passed them. Who waits for something else meanwhile asks `until` below."""
    clock = Clock()
    loop.time = clock  # type: ignore[method-assign]
    return clock


async def until(look: Callable[[], Any]) -> Any:
    """As `patience.until`, on a loop whose clock stands still.

    Raises:
        AssertionError: as that.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not come in {PATIENCE:.0f} s ({look!r})"
        await asyncio.to_thread(time.sleep, 0.01)
    return found
