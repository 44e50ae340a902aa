"""The files that would be lost, as far as they are counted; and counting them anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from . import views
from .count import CountError
from .models import Ephemeral
from .picture import Picture
from .walk import Plan

ANNOUNCED_EVERY = 0.5
"""Seconds between two words on how far a count has come; the first comes at once."""

_BIGGEST = 100
_NAMED = 3


class Count(Protocol):
    """`count.count`."""

    def __call__(
        self, plan: Plan, folder: str | None, limit: int, progress: Callable[[dict[str, Any]], None]
    ) -> Awaitable[dict[str, Any]]: ...


class Losses:
    """Lives on the event loop's thread.

    Args:
        look: what lasts now, and what of it to walk through.
        changed: there is more to read.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[tuple[Picture, Plan]]],
        count: Count,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._count, self._changed, self._clock = look, count, changed, clock
        self._task: asyncio.Task[None] | None = None
        self._announced = float("-inf")
        self._closed = False
        self.known = Ephemeral(reason="They were not counted yet.")

    def begin(self) -> None:
        """Count anew, or join the count that is under way."""
        if not self._closed and (self._task is None or self._task.done()):
            self.known = Ephemeral("counting")
            self._announced = float("-inf")
            self._task = asyncio.ensure_future(self._run())

    async def counted(self) -> Ephemeral:
        """When the count that is under way has ended; of none, what is known."""
        if self._task is not None:
            # Whoever stops waiting does not stop the count.
            await asyncio.wait([self._task])
        return self.known

    async def close(self) -> None:
        """End a count that is under way, and begin none any more."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            picture, plan = await self._look()
            if not plan.regions:
                self.known = Ephemeral(
                    "known", "All that JupyterLab shows, and your home, lasts.", counted=time.time()
                )
            else:
                told = await self._count(plan, None, _BIGGEST, lambda told: self._progress(told, picture))
                known = _read(told, picture)
                reason = " ".join(filter(None, (_uncertain(picture.uncertain(plan)), _unread(told))))
                self.known = replace(known, state="known", reason=reason, counted=time.time())
        except asyncio.CancelledError:
            self.known = replace(self.known, state="failed", reason="Counting them was called off.")
            raise
        except CountError as error:
            self.known = replace(self.known, state="failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody waits for ever
            self.known = replace(self.known, state="failed", reason=f"They could not be counted: {error}")
        self._changed()

    def _progress(self, told: dict[str, Any], picture: Picture) -> None:
        self.known = _read(told, picture)
        if self._clock() - self._announced >= ANNOUNCED_EVERY:
            self._announced = self._clock()
            self._changed()


def _read(told: dict[str, Any], picture: Picture) -> Ephemeral:
    return Ephemeral(
        "counting",
        files=told["files"],
        bytes=told["bytes"],
        biggest=views.files_of(told, picture.root_path),
        more=told["more"],
        folders=views.folders_of(told),
        ignored=told["ignored"],
    )


def _uncertain(folders: Sequence[str]) -> str:
    if not folders:
        return ""
    return f"Whether files in {_most(folders)} last is not known: they are counted as if they did not."


def _most(folders: Sequence[str]) -> str:
    named = ", ".join(folders[:_NAMED])
    return f"{named} and {len(folders) - _NAMED} more" if len(folders) > _NAMED else named


def _unread(told: dict[str, Any]) -> str:
    number = told["unreadable"]
    if not number:
        return ""
    return (
        "1 file or folder could not be read."
        if number == 1
        else f"{number:,} files or folders could not be read."
    )
