"""The room as others use it; lives on the event loop's thread, which no storage holds up."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInputError, DependencyError, NotFoundError
from . import place, usage, views, walk
from .count import CountError, count
from .folders import Folders
from .losses import Count, Losses
from .models import Listing, Mount, Place, Private, Usage, Verdict
from .mounts import MountTable
from .patience import PATIENCE, Patience, SilentError
from .picture import Picture
from .walk import Plan

_LISTED = 1000

_LISTINGS_AT_ONCE = 2

_GONE = frozenset((errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENXIO))
"""Storage that fails so does not answer either."""


class StorageService:
    """What lasts, what would be lost, and how much room there is.

    Args:
        folders: finds the folders that matter; with True it asks no storage.
        table: reads the mounts.
        since: when this server started, seconds since the epoch by today's clock.
        ignored: patterns of names that are no work of the user.
        changed: there is something new to read.
        count: counts files; see `count.count`.
        patience: seconds that a volume may take to answer.
    """

    def __init__(
        self,
        folders: Callable[[bool], Folders],
        *,
        since: Callable[[], float],
        ignored: Sequence[str] = (),
        changed: Callable[[], None] = lambda: None,
        table: Callable[[], MountTable] = MountTable.read,
        count: Count = count,
        patience: float = PATIENCE,
    ) -> None:
        self._folders, self._table, self._since, self._ignored = folders, table, since, ignored
        self._count = count
        self._patience = Patience(changed, patience)
        self._losses = Losses(self._look, count, changed)
        self._listings = asyncio.Semaphore(_LISTINGS_AT_ONCE)
        self._seen: Picture | None = None
        self.changed = changed
        self.rescue: Callable[[], Awaitable[dict[str, Any]]] | None = None
        """The part `rescue` of the answer; None: files are not rescued here."""

    async def picture(self) -> Picture:
        """What lasts now. Where a storage hangs, as it was known before, or by the table alone."""

        def look() -> Picture:
            return Picture(self._table(), self._folders(False))

        try:
            self._seen = await self._patience.ask("folders", look)
        except (SilentError, OSError):
            if self._seen is None:
                return Picture(self._table(), self._folders(True))
        return self._seen

    async def plan(self) -> Plan:
        """What to walk through for the files that would be lost."""
        return (await self._look())[1]

    async def private(self) -> Private | None:
        """The folder that lasts; None where there is none."""
        return (await self.picture()).private()[0]

    async def no_private(self) -> str:
        """Why there is no such folder, a sentence; empty where there is one."""
        return (await self.picture()).private()[1]

    async def usage(self, path: str) -> Usage:
        """The room at an absolute path."""
        return (await self._usages(await self.picture(), [path]))[path]

    async def answer(self) -> dict[str, Any]:
        """`GET storage`."""
        picture = await self.picture()
        volumes = picture.volumes()
        usages = await self._usages(picture, [each.path for each in volumes])
        return {
            "volumes": [views.volume(each, usages[each.path]) for each in volumes],
            "ephemeral": self.ephemeral(),
            "private": views.private(picture.private()[0]),
            "rescue": await self.rescue_answer(),
        }

    def ephemeral(self) -> dict[str, Any]:
        """The part of that name of the answer, as far as files are counted."""
        return views.ephemeral(self._losses.known)

    async def rescue_answer(self) -> dict[str, Any]:
        """The part of that name of the answer."""
        if self.rescue is not None:
            return await self.rescue()
        return {
            "possible": False,
            "reason": "This server does not rescue files.",
            "folder": "",
            "limit_bytes": 0,
            "last": None,
        }

    def begin_count(self) -> None:
        """Count what would be lost, or join the count that is under way."""
        self._losses.begin()

    async def counted(self) -> dict[str, Any]:
        """`ephemeral`, when the count that is under way has ended."""
        return views.ephemeral(await self._losses.counted())

    async def files(self, folder: str) -> dict[str, Any]:
        """What would be lost in a folder, given by its absolute path.

        Raises:
            BadInputError: it is outside of root and home, or lasts.
            NotFoundError: there is no such folder.
            DependencyError: the storage does not answer.
        """
        picture, plan = await self._look()
        key = f"folder {_number(picture.mount(folder))}"
        try:
            await self._patience.ask(key, lambda: _check(plan, folder), join=False)
        except SilentError as error:
            raise _silent("It did not answer in time.") from error
        async with self._listings:
            try:
                told = await self._count(plan, walk.real(folder), _LISTED, lambda _: None)
            except CountError as error:
                raise _silent(str(error)) from error
        files, folders = views.files_of(told, picture.root_path), views.folders_of(told)
        return views.listing(Listing(folder, files, folders, told["more"]))

    async def place(self, path: str) -> dict[str, Any]:
        """What a path lies on that JupyterLab names so; it need not exist.

        Raises:
            BadInputError: it is no path of JupyterLab.
        """
        picture = await self.picture()
        root = picture.folders.root
        try:
            lexical = place.real_path(root, path, blindly=True)
            key = f"place {_number(picture.mount(lexical or root))}"
            found = await self._patience.ask(key, lambda: place.real_path(root, path), join=False)
        except (SilentError, OSError):
            found = place.real_path(root, path, blindly=True)
        if found is None:
            verdict = Verdict("unknown", "It is on a drive of its own, not on this server's disk.")
            return views.place(Place(path, verdict, None, picture.private()[0]))
        return views.place(picture.place(found, path))

    async def close(self) -> None:
        self._patience.close()
        await self._losses.close()

    async def _look(self) -> tuple[Picture, Plan]:
        picture = await self.picture()
        return picture, picture.plan(self._since(), [each for each in self._ignored if "/" not in each])

    async def _usages(self, picture: Picture, paths: Sequence[str]) -> dict[str, Usage]:
        by_mount: dict[Mount | None, list[str]] = {}
        for path in paths:
            by_mount.setdefault(picture.mount(path), []).append(path)
        asked = [self._usage_of(mount, each) for mount, each in by_mount.items()]
        answers: dict[str, Usage] = {}
        for part in await asyncio.gather(*asked):
            answers.update(part)
        return answers

    async def _usage_of(self, mount: Mount | None, paths: Sequence[str]) -> dict[str, Usage]:
        """Of the folders on one mount, which has one thread for all."""
        fs_type, point = (mount.fs_type, mount.point) if mount is not None else ("", "/")

        def read() -> dict[str, Usage]:
            return {path: _read(path, fs_type, point) for path in paths}

        try:
            answers = await self._patience.ask(f"usage {_number(mount)}", read)
        except SilentError:
            return dict.fromkeys(paths, Usage(silent=True))
        # Somebody else may have asked at the same time, of fewer.
        return {path: answers.get(path) or next(iter(answers.values())) for path in paths}


def _number(mount: Mount | None) -> str:
    return str(mount.mount_id) if mount is not None else ""


def _read(path: str, fs_type: str, point: str) -> Usage:
    try:
        return usage.read(path, fs_type, point)
    except OSError as error:
        return Usage(silent=error.errno in _GONE)


def _check(plan: Plan, folder: str) -> None:
    """Raises:
    BadInputError, NotFoundError
    """
    hint = "Ask for a folder that GET storage names."
    problem = walk.problem(plan, folder)
    if problem:
        gone = "\0" not in folder and Path(folder).is_absolute() and not os.path.lexists(folder)
        kind = NotFoundError if gone else BadInputError
        raise kind("The folder cannot be listed.", reason=problem, hint=hint)
    if not os.path.isdir(folder):  # noqa: PTH112 - a str, as all here
        raise BadInputError("The folder cannot be listed.", reason="It is a file.", hint=hint)


def _silent(reason: str) -> DependencyError:
    return DependencyError(
        "Your storage does not answer.",
        reason=reason,
        hint="Try again in a minute; if it stays so, tell your administrator.",
    )
