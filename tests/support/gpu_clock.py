"""The clock of a GPU's service, in the hand of a test."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from jupyter_mlinfn.gpu.release import Programs
from jupyter_mlinfn.gpu.service import GpuService, NoPrograms

from .clock import Clock
from .patience import until


class SamplersClock(Clock):
    """The sampler's thread waits by it (`sampler.Wait`): it sleeps until the clock is turned."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._turns = 0
        self._looked = threading.local()
        self._asleep: set[threading.Condition] = set()

    def __call__(self) -> float:
        with self._lock:
            self._looked.turns = self._turns
            return self.now

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        with self._lock:
            if seconds <= 0 or self._looked.turns != self._turns:
                # It is due, or may be: the clock was turned since this thread looked at it.
                return
            self._asleep.add(condition)
        try:
            condition.wait()
        finally:
            with self._lock:
                self._asleep.discard(condition)

    def pass_time(self, seconds: float) -> None:
        with self._lock:
            self._turns += 1
            self.now += seconds
            woken, self._asleep = self._asleep, set()
        for condition in woken:
            with condition:
                condition.notify_all()

    @property
    def asleep(self) -> bool:
        """Whether a thread has done all that is due, and waits for a later time."""
        return bool(self._asleep)


class Turned:
    """A service, and its clock."""

    def __init__(self, service: GpuService, clock: SamplersClock) -> None:
        self.service = service
        self.clock = clock

    async def see(self) -> dict[str, Any]:
        """Everything, once all is done that is due."""
        await self.service.snapshot(0, 0)
        await self.settled()
        return await self.service.snapshot(0, 0)

    async def pass_time(self, seconds: float) -> None:
        """What is due by then is done; what hangs is not waited for by `clock.pass_time`."""
        self.clock.pass_time(seconds)
        await self.settled()

    async def settled(self) -> None:
        sampler = self.service.sampler
        # In this order: who was woken is asleep for a moment more, but is not to be taken for done.
        await until(lambda: (not sampler.woken and self.clock.asleep) or not sampler.running)

    @property
    def kind(self) -> str:
        return self.service.sampler.picture.state.kind


@asynccontextmanager
async def turned(
    programs: Programs | None = None,
    *,
    accounting: bool = False,
    changed: Callable[[], None] = lambda: None,
) -> AsyncIterator[Turned]:
    """A service whose clock stands still, but when it is turned."""
    clock = SamplersClock()
    service = GpuService(
        programs or NoPrograms(), changed=changed, accounting=accounting, clock=clock, wait=clock.wait
    )
    try:
        yield Turned(service, clock)
    finally:
        service.close()
