"""Work of this server's processes: CPU time and files written or loaded, programs that nobody watches.

The walk itself is `walk.Walk`, in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from ...threads import in_own_thread
from ..models import Moment, Signal
from .walk import Program, Walk

WALK_EVERY = 60.0

STUCK = 60.0
"""Seconds after which a walk hangs: what `/proc` says of a process that waits for a storage may never
come."""


class ProcessSource:
    """Lives on the event loop's thread; looking starts a walk where one is due, and tells of the last.

    Args:
        walk: see there.
        walk_every: seconds between two walks; work is measured over the time between.
    """

    source: Literal["processes"] = "processes"

    def __init__(self, walk: Walk, *, walk_every: float = WALK_EVERY) -> None:
        self._walk = walk
        self._walk_every = walk_every
        self._walked: Moment = float("-inf")
        self._walking: asyncio.Task[None] | None = None
        self._working: Sequence[Program] = ()
        self._last: Moment | None = None
        self._error: BaseException | None = None

    async def look(self, now: Moment) -> Signal:
        """What the last walk saw.

        Raises:
            Exception: the last walk failed, or hangs: what the processes do is not known.
        """
        if self._walking is not None and now - self._walked > max(STUCK, 2 * self._walk_every):
            raise TimeoutError("the processes cannot be looked at")
        if self._walking is None and now - self._walked >= self._walk_every:
            self._begin(now)
        if self._error is not None:
            raise self._error
        return Signal("processes", self._last, _sentence(self._working))

    async def refresh(self) -> None:
        """Walk now, unless one has ended within half of `walk_every`, and wait for its end: before
        something is decided that an old look might be wrong about."""
        now = self._walk.clock()
        if self._walking is None and now - self._walked >= self._walk_every / 2:
            self._begin(now)
        if self._walking is not None:
            await asyncio.shield(self._walking)

    def close(self) -> None:
        if self._walking is not None:
            self._walking.cancel()

    def _begin(self, now: Moment) -> None:
        self._walked = now
        self._walking = asyncio.ensure_future(self._go())

    async def _go(self) -> None:
        try:
            self._working = await in_own_thread("mlinfn-walk", self._walk)
            if self._working:
                self._last = self._walk.at
            self._error = None
        except Exception as error:  # noqa: BLE001 - told by the next look
            self._error = error
        finally:
            self._walking = None


def _sentence(working: Sequence[Program]) -> str:
    if not working:
        return ""
    if len(working) == 1:
        (program,) = working
        return f"The program {program.name} (process {program.pid}) is working: {_measure(program)}."
    names = ", ".join(sorted({program.name for program in working})[:3])
    return f"{len(working)} programs are working: {names}{', …' if len(working) > 3 else ''}."


def _measure(program: Program) -> str:
    if program.by_cpu:
        return f"{program.cpu:.0%} of a core"
    return f"{program.bytes_per_second / 1e6:.1f} MB of files a second"
