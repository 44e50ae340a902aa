"""What runs and what would be lost, the stop, and the card of who comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from ..errors import ConflictError
from ..times import now
from . import again
from .around import Around, Running, Storage
from .resources import Resources, read
from .survey import Survey
from .waiting import Waiting
from .welcome import Welcome

WATCHED_FOR = 600.0
"""Seconds after a survey for which somebody is taken to look at it, and is told of news."""

PAGES_SILENT_AFTER = 2.1
"""Seconds after which a page that has not answered counts as silent; a little more than pages have."""

TOLD_EVERY = 0.1
"""Seconds between two events."""

_RESCUE_WITHIN = 0.2
"""Seconds for the storage to say what it can keep; it is told later otherwise."""


class SessionService:
    """Lives on the event loop's thread.

    Args:
        started: when this server did, seconds since the epoch.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        around: Around,
        *,
        started: float,
        look_at_resources: Callable[[], Resources] = read,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._around = around
        self._clock = clock
        self._survey = Survey(around, self._tell, look_at_resources)
        self._waiting = Waiting(self._running, self._finished)
        self._welcome = Welcome(around.last_stop(), started, around.log)
        self._wish: tuple[bool | tuple[str, ...], bool] = (True, True)
        self._waits_since = ""
        self._surveyed = float("-inf")
        self._storage: Storage | None = None
        self._rescue: dict[str, Any] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: asyncio.Task[None] | None = None
        self._told: object = None

    def close(self) -> None:
        """Waits for nobody."""
        self._waiting.drop()
        self._survey.close()
        self._welcome.close()
        for timer in self._timers.values():
            timer.cancel()
        for task in (self._asking, self._ending):
            if task is not None:
                task.cancel()

    # For handlers

    async def answer(self) -> dict[str, Any]:
        """`#/components/schemas/SessionAnswer`, as far as it is known; looks for nothing."""
        end, environment = await self._around.end(), self._around.environment
        under_hub = again.under_hub(environment)
        return {
            "now": now(),
            "server": {
                "name": environment.get("JUPYTERHUB_SERVER_NAME", ""),
                "under_hub": under_hub,
                "through_hub": self._survey.may_stop if under_hub else False,
                "again": {
                    "url": again.url(environment),
                    "command": None if under_hub else self._around.command,
                },
            },
            "resources": await self._survey.resources(),
            "pages": end.pages(),
            "running": [
                {
                    "kernel_id": each.kernel_id,
                    "title": each.title,
                    "path": each.path,
                    "since": end.time(each.since),
                }
                for each in await end.running()
            ],
            "holders": self._survey.holders,
            "terminals": self._survey.terminals,
            "files": self._storage.ephemeral() if self._storage is not None else None,
            "rescue": await self._rescue_part(),
            "stop": await self._stopping(),
        }

    async def survey(self) -> dict[str, Any]:
        """Begin to ask pages, to count files and to look at the rest; what there is to read so far."""
        self._surveyed = self._clock()
        end, self._storage = await self._around.end(), await self._around.storage()
        end.ask_pages()
        self._storage.begin_count()
        self._survey.begin()
        self._later("silent", PAGES_SILENT_AFTER, self._tell)
        return await self.answer()

    async def stop(
        self, when: Literal["now", "finished"], keep: bool | Sequence[str], *, save: bool
    ) -> dict[str, Any]:
        """Begin to stop, or join what is under way; returns at once.

        Args:
            when: `finished`: once no kernel runs code any more that does now.
            keep: all that would be lost as far as a stop may, or chosen paths, or nothing.
            save: whether pages save.
        """
        end = await self._around.end()
        wish = (keep if isinstance(keep, bool) else tuple(keep), save)
        if when == "finished" and self._waiting.since is not None:
            return await self.answer()
        running = await end.running() if when == "finished" else ()
        if running and end.stopping()["phase"] is None:
            self._wish, self._waits_since = wish, now()
            self._waiting.begin(running)
        else:
            self._waiting.drop()
            end.stop("Somebody asked to free this server's resources.", wish[0], save=save)
        self._moved(await self._stopping())
        return await self.answer()

    async def call_off(self) -> dict[str, Any]:
        """Stay after all.

        Raises:
            ConflictError: it is too late, or others stop this server.
        """
        end = await self._around.end()
        self._waiting.drop()
        if not end.call_off():
            raise ConflictError(
                "The stop cannot be called off any more.",
                reason=end.stopping()["sentence"],
                hint="Wait until the server has stopped, and start it again.",
            )
        self._moved(await self._stopping())
        return await self.answer()

    async def stopped(self) -> dict[str, Any]:
        """`GET session/welcome`."""
        return {"stopped": await self._welcome.stopped()}

    async def seen(self) -> None:
        """Nothing more is to be told of the stop before this start.

        Raises:
            OSError: that could not be written down.
        """
        try:
            await self._welcome.seen()
        finally:
            self._tell()

    # News

    def moved(self) -> None:
        """Pages, kernels or the end have something new."""
        self._waiting.heard()
        if self._ending is None or self._ending.done():
            self._ending = asyncio.ensure_future(self._look_at_end())
        if self._watched:
            self._tell()

    def counted(self) -> None:
        """There is something new of files."""
        if self._watched:
            self._tell()

    @property
    def _watched(self) -> bool:
        return self._clock() - self._surveyed < WATCHED_FOR

    async def _look_at_end(self) -> None:
        self._moved(await self._stopping())

    def _moved(self, stopping: dict[str, Any]) -> None:
        if stopping != self._told:
            self._told = stopping
            self._tell()

    def _tell(self) -> None:
        if "tell" not in self._timers:
            self._later("tell", TOLD_EVERY, self._around.changed)

    def _later(self, name: str, pause: float, call: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()

        def run() -> None:
            del self._timers[name]
            call()

        self._timers[name] = asyncio.get_running_loop().call_later(pause, run)

    # The stop

    async def _running(self) -> Sequence[Running]:
        return await (await self._around.end()).running()

    def _finished(self) -> None:
        keep, save = self._wish

        async def stop() -> None:
            end = await self._around.end()
            end.stop("The cells that ran have finished: a stop was asked for then.", keep, save=save)

        self._ending = asyncio.ensure_future(stop())

    async def _stopping(self) -> dict[str, Any]:
        """`#/components/schemas/SessionAnswer/properties/stop`."""
        told = (await self._around.end()).stopping()
        waits = told["phase"] is None and self._waiting.since is not None
        return {
            "phase": "waiting" if waits else told["phase"],
            "waits_for": list(self._waiting.titles) if waits else [],
            "since": self._waits_since if waits else told["since"],
            "job": told["job"],
            "problem": told["problem"],
        }

    # The storage

    async def _rescue_part(self) -> dict[str, Any] | None:
        if self._storage is None:
            return None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask_rescue(self._storage))
        await asyncio.wait([self._asking], timeout=_RESCUE_WITHIN)
        return self._rescue

    async def _ask_rescue(self, storage: Storage) -> None:
        before = self._rescue
        try:
            self._rescue = await storage.rescue_answer()
        except Exception:  # A storage fails in its own ways: the rest is told.
            self._around.log.exception("Session: what can be rescued is not known")
            return
        if before != self._rescue:
            self._tell()
