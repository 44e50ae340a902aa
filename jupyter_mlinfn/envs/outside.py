"""What others changed in the user's environments: looked at when somebody looks, told when found."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import MlinfnError
from .models import Environment
from .places import Places
from .writer import Writers

_log = logging.getLogger(__name__)

_AGE = 60.0
"""Seconds after which a look is taken again though no folder tells of a change: a file that was edited
in place is told by none."""

Stamps = tuple[int | None, ...]


class Inspector(Protocol):
    """What compares an environment with its revision (`engine.Engine`)."""

    async def inspect(self, prefix: Path, history: Path) -> dict[str, Any]: ...

    async def settle(self, prefix: Path, history: Path) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Look:
    """What was found last; `drift` is ``#/components/schemas/Drift``."""

    revision: int | None
    drift: dict[str, Any] | None
    stamps: Stamps
    time: float


class Outside:
    """Lives on the event loop's thread; the looking is done by worker processes, one at a time.

    Args:
        changed: called when something else was found than before.
    """

    def __init__(
        self, places: Places, inspector: Inspector, writers: Writers, changed: Callable[[], None]
    ) -> None:
        self._places = places
        self._inspector = inspector
        self._writers = writers
        self._changed = changed
        self._found: dict[str, Look] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._closing = False

    def known(self, environment: Environment) -> Look | None:
        """What was found last, at once; None before the first look."""
        return self._found.get(environment.id)

    def forget(self, environment_id: str) -> None:
        """It was changed by ourselves: what is known holds no longer."""
        self._found.pop(environment_id, None)

    def look_soon(self, environment: Environment) -> asyncio.Task[None] | None:
        """Take a look in the background; the task of the look that is taken, if any is."""
        if environment.origin != "private" or not environment.adopted or self._closing:
            return None
        task = self._tasks.get(environment.id)
        if task is None:
            task = self._tasks[environment.id] = asyncio.ensure_future(self._look(environment))
            task.add_done_callback(lambda _: self._tasks.pop(environment.id, None))
        return task

    async def close(self) -> None:
        self._closing = True
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _look(self, environment: Environment) -> None:
        prefix, history = environment.prefix, self._places.history(environment.prefix.name)
        before = self._found.get(environment.id)
        stamps = await asyncio.to_thread(_stamps, prefix, history)
        now = asyncio.get_running_loop().time()
        if before is not None and before.stamps == stamps and now - before.time < _AGE:
            return
        if await asyncio.to_thread(self._writers.writer, prefix) is not None:
            return  # whoever changes it tells when that is done
        async with self._turn:
            try:
                answer = await self._inspector.inspect(prefix, history)
                if answer["revision"] is None:
                    # Of before there were revisions, or made just now: it gets its first one.
                    async with self._writers.holding(prefix, "Record its first revision", brief=True):
                        answer = await self._inspector.settle(prefix, history)
                    stamps = await asyncio.to_thread(_stamps, prefix, history)
            except (MlinfnError, OSError) as error:
                _log.info("Cannot look whether %s was changed outside: %s", environment.name, error)
                return
        found = Look(answer["revision"], answer.get("drift"), stamps, now)
        self._found[environment.id] = found
        if before is None or _told(before) != _told(found):
            self._changed()


def _told(look: Look) -> tuple[Any, ...]:
    """What somebody would see of it."""
    drift = {name: value for name, value in (look.drift or {}).items() if name != "noticed"}
    return look.revision, drift


def _stamps(prefix: Path, history: Path) -> Stamps:
    """Change when packages come or go, whoever does it. Reads a disk."""
    folders = [prefix / "conda-meta", prefix / "bin", history / "revisions"]
    with suppress(OSError):
        folders += [folder / "site-packages" for folder in sorted((prefix / "lib").glob("python3*"))]
    return tuple(_time(folder) for folder in folders)


def _time(folder: Path) -> int | None:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return None
