"""A stop that waits until the cells that run have finished."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .around import Running

SETTLED = 1.0
"""Seconds without a cell after which a kernel has finished: of cells that are queued, each ends before the
next begins."""

LOOK_EVERY = 30.0
"""Seconds between looks though nothing was heard: a gateway tells nothing by itself."""


class Waiting:
    """Lives on the event loop's thread. A kernel that is shut, or dies, has finished.

    Args:
        running: the kernels that run code now.
        finished: called once when none of those that did runs code any more.
    """

    def __init__(
        self,
        running: Callable[[], Awaitable[Sequence[Running]]],
        finished: Callable[[], None],
        *,
        settled: float = SETTLED,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._running = running
        self._finished = finished
        self._settled = settled
        self._look_every = look_every
        self._for: dict[str, str] = {}
        self._free: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.Task[None] | None = None
        self.since: float | None = None
        """Seconds of the event loop's clock; None while nothing is waited for."""

    @property
    def titles(self) -> Sequence[str]:
        """Of what is waited for."""
        return list(self._for.values())

    def begin(self, kernels: Sequence[Running]) -> None:
        self.since = asyncio.get_running_loop().time()
        self._for = {each.kernel_id: each.title for each in kernels}
        self._free = {}
        self._wake(self._look_every)

    def drop(self) -> None:
        """Wait no more."""
        self.since, self._for, self._free = None, {}, {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._look is not None and self._look is not asyncio.current_task():
            self._look.cancel()

    def heard(self) -> None:
        """A kernel has begun or ended its work, or is gone."""
        if self.since is not None:
            self._wake(0.0)

    def _wake(self, pause: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(pause, self._begin_look)

    def _begin_look(self) -> None:
        self._timer = None
        if self._look is None or self._look.done():
            self._look = asyncio.ensure_future(self._look_again())
        else:
            self._wake(self._settled)

    async def _look_again(self) -> None:
        pause = self._look_every
        try:
            at_work = {each.kernel_id for each in await self._running()}
            if self.since is None:
                return
            now = asyncio.get_running_loop().time()
            self._free = {each: self._free.get(each, now) for each in self._for if each not in at_work}
            done = [each for each, since in self._free.items() if now - since >= self._settled]
            for each in done:
                del self._for[each], self._free[each]
            if not self._for:
                self.drop()
                self._finished()
                return
            if self._free:
                pause = max(0.01, min(self._free.values()) + self._settled - now)
        finally:
            if self.since is not None and self._timer is None:
                self._wake(pause)
