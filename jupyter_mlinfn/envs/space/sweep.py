"""Clearing away, when a server starts, the histories of environments that are no more."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ...errors import MlinfnError
from ...uninterrupted import in_thread
from ..places import Places
from ..trash import Trash
from ..writer import Writers

_log = logging.getLogger(__name__)

_LEFT = ("record-", "gone-", ".identity.json-", ".writer.json-")
"""How the names begin of what a killed process leaves in a history: `history.transaction.record`,
`history.layout`. Changes (``change-``) are finished or discarded by `transaction.recover`."""


async def sweep(places: Places, writers: Writers) -> None:
    """Throw into the trash what nobody can go back to; what somebody writes to is left for later.

    An environment counts as gone only where the folder of environments can be read and does not
    have it: of storage that is away nothing is known.
    """
    for name in await asyncio.to_thread(_found, places):
        history = places.history(name)
        try:
            async with writers.holding(places.prefix(name), "Clear what is left of it"):
                await in_thread(_clear, places, name)
        except (MlinfnError, OSError) as error:
            _log.info("What is left of %s stays for now: %s", name, error)
            continue
        # Only now: the lease lies in it. Whoever has begun anew meanwhile keeps it.
        with suppress(OSError):
            await asyncio.to_thread(history.rmdir)


def _found(places: Places) -> list[str]:
    """Names of the histories in which there is something to clear."""
    try:
        folders = sorted(entry.name for entry in os.scandir(places.histories) if entry.is_dir())
    except OSError:
        return []
    return [name for name in folders if _is_gone(places, name) or any(_left_in(places.history(name)))]


def _is_gone(places: Places, name: str) -> bool:
    try:
        if not places.anchor.is_dir():
            return False
        # By listing: a look at one name also fails where the volume behind it does not answer.
        with os.scandir(places.environments) as entries:
            return name not in {entry.name for entry in entries}
    except OSError:
        return False


def _left_in(history: Path) -> Iterator[Path]:
    try:
        entries = list(history.iterdir())
    except OSError:
        return
    yield from (entry for entry in entries if entry.name.startswith(_LEFT))


def _clear(places: Places, name: str) -> None:
    history, trash = places.history(name), Trash(places.trash)
    going = list(_left_in(history))
    # Once more: it may have been made anew before the lease was ours.
    if _is_gone(places, name):
        going += [*history.glob("change-*"), history / "revisions"]
        # Last: revisions without it would be taken for those of the next environment of that name.
        going.append(history / "identity.json")
    for entry in going:
        if entry.is_dir() and not entry.is_symlink():
            trash.throw_away(entry)
        else:
            entry.unlink(missing_ok=True)
