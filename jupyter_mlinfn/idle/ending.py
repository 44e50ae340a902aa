"""The order at the end: pages save, the reason is written down, the server is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from .models import Moment
from .pages import Pages

Why = Literal["idle", "maximum_age", "allocation", "hub_culler", "server_timeout", "user", "outside"]


@dataclass(frozen=True)
class Reason:
    """Why this server is stopped.

    Attributes:
        extendable: whether it is called off by somebody who is there, or by activity, while pages save.
    """

    why: Why
    sentence: str
    extendable: bool = False


@dataclass(frozen=True)
class Limits:
    """Seconds.

    Attributes:
        save: that pages have to save and answer.
        hidden: that hidden pages have after the visible ones have answered.
        nobody: that is waited where no page is known: one may be there that never reported.
        write: for the reason, to a storage that may hang.
        stop: that the hub has to end this process once it agreed.
    """

    save: float = 20.0
    hidden: float = 3.0
    nobody: float = 1.0
    write: float = 5.0
    stop: float = 30.0

    @property
    def hold_off(self) -> float:
        """For which the hub's culler is held off: all of the above, and some."""
        return self.save + self.write + self.stop + 5.0


class Surroundings(Protocol):
    """What an end needs of the server, the hub and the storage."""

    async def hold_off(self, seconds: float) -> None:
        """Keep the hub's culler away for that long; never raises."""

    async def still_wanted(self, since: Moment) -> bool:
        """Whether nothing that counts has happened since; looks again at all sources."""

    async def write_reason(self, reason: Reason) -> None:
        """Write down why, for the next start; raises OSError."""

    async def stop_through_hub(self) -> bool:
        """Whether the hub is stopping this server now; never raises."""

    def end_process(self) -> None:
        """End this server by itself, with exit status 0; returns at once."""


class Ending:
    """Lives on the event loop's thread; there is one end at a time.

    Args:
        changed: the phase is another.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        around: Surroundings,
        pages: Pages,
        changed: Callable[[], object],
        clock: Callable[[], Moment],
        log: logging.Logger | logging.LoggerAdapter[Any],
        limits: Limits | None = None,
    ) -> None:
        self._around = around
        self._pages = pages
        self._changed = changed
        self._clock = clock
        self._log = log
        self.limits = limits or Limits()
        self._poke = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.phase: Literal["saving", "stopping"] | None = None
        self.save_by: Moment | None = None
        self.reason: Reason | None = None
        self.written = False
        self._began: Moment = float("inf")

    def begin(self, reason: Reason) -> None:
        """Start to end; nothing happens while an end is under way."""
        if self.phase is not None:
            return
        self.reason = reason
        began = self._began = self._clock()
        self.phase, self.save_by = "saving", began + self.limits.save
        self._pages.ask_to_save()
        self._log.info("This server is being stopped: %s", reason.sentence)
        self._task = asyncio.ensure_future(self._run(reason, began))
        self._changed()

    def call_off(self) -> bool:
        """Stay after all, as long as only pages save, and for what can be held off.

        Returns:
            Whether this server stays.
        """
        if self.phase is None:
            return True
        if self.phase == "stopping" or self._task is None or not (self.reason and self.reason.extendable):
            return False
        self._task.cancel()
        self._over()
        return True

    def person_at(self, at: Moment) -> None:
        """Somebody used a page then: who comes back while pages save, before all have answered, stays.

        Not who asked for the stop: they may move the pointer after that.
        """
        if (
            self.phase == "saving"
            and self.reason is not None
            and self.reason.why != "user"
            and at > self._began
        ):
            self.call_off()

    def answered(self) -> None:
        """A page has reported."""
        self._poke.set()

    def close(self) -> None:
        """The server ends, by us or by others."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, reason: Reason, began: Moment) -> None:
        try:
            await self._end_in_order(reason, began)
        except Exception:  # noqa: BLE001 - whatever it is: none hangs between running and stopped
            self._log.exception("The end of this server did not go as it should")
            if self.phase == "stopping":
                self._around.end_process()
            else:
                self._over()

    async def _end_in_order(self, reason: Reason, began: Moment) -> None:
        holding = asyncio.ensure_future(self._around.hold_off(self.limits.hold_off))
        try:
            await self._saved(began)
        finally:
            holding.cancel()
        # Who asks for it knows what runs.
        if reason.extendable and reason.why != "user" and not await self._around.still_wanted(began):
            self._log.info("The stop is called off: there is activity again.")
            self._over()
            return
        self.phase, self.save_by = "stopping", None
        self._changed()
        try:
            await asyncio.wait_for(self._around.write_reason(reason), self.limits.write)
            self.written = True
        except (OSError, asyncio.TimeoutError) as error:
            self._log.warning("Why this server is stopped could not be written to the storage: %r", error)
        if await self._around.stop_through_hub():
            await asyncio.sleep(self.limits.stop)
            self._log.warning("The hub agreed to stop this server and did not: it ends by itself.")
        self._around.end_process()

    async def _saved(self, began: Moment) -> None:
        """Wait for pages, no longer than the limits."""
        answered_at = began
        while True:
            self._poke.clear()
            now = self._clock()
            if not len(self._pages):
                end = began + self.limits.nobody
            elif self._pages.waiting(visible=True):
                end, answered_at = began + self.limits.save, now
            elif self._pages.waiting(visible=False):
                end = min(answered_at + self.limits.hidden, began + self.limits.save)
            else:
                return
            if now >= end:
                return
            try:
                await asyncio.wait_for(self._poke.wait(), end - now)
            except asyncio.TimeoutError:
                continue

    def _over(self) -> None:
        self.phase = self.save_by = self.reason = self._task = None
        self._changed()


TOLD = 500
"""Documents that are written down, of those that pages say they saved: whoever invents pages and
documents fills no storage."""


def saved_by_pages(pages: Pages) -> Mapping[str, Any]:
    """What pages saved and what they could not, for `last-stop.json`."""
    answers = pages.saved()
    return {
        "known": len(pages),
        "silent": pages.waiting(visible=False),
        "saved": sorted({path for each in answers for path in each["documents"]})[:TOLD],
        "failed": [failure for each in answers for failure in each["failed"]][:TOLD],
    }
