"""Forgetting revisions, and clearing the cache of what nobody needs, safe to be killed anywhere.

Runs in a worker process. Standard library only. What goes is renamed into the trash and removed
there, by the next sweep if this one is killed.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...files import sync_folder
from ..history.layout import History
from ..places import STATE_FOLDER
from ..trash import Cleared, Trash
from ..worker import cache_guard
from . import measure


def forget(history: History, keep_from: int, trash: Path) -> tuple[list[int], list[Path]]:
    """Drop what is kept for going back beyond a revision, oldest first; for who holds the lease.

    The records stay: the list of revisions says what was, and that one cannot go back to it.

    Args:
        keep_from: the oldest revision that can still be gone back to.

    Returns:
        The revisions whose files went, and where these are now.
    Raises:
        OSError: the storage is gone or read-only.
    """
    forgotten, targets = [], []
    for number in history.numbers():
        if number > keep_from:
            break
        folder = history.revision(number)
        delta, old = folder / "delta.json", folder / "old"
        if not delta.exists() and not old.exists():
            continue
        # First what says that the files are there: without it they are only a leftover.
        delta.unlink(missing_ok=True)
        sync_folder(folder)
        target = _throw_away(old, trash)
        if target is not None:
            targets.append(target)
        forgotten.append(number)
    return forgotten, targets


def clear_cache(
    environments: Path, cache: Path, things: Collection[str], trash: Path
) -> tuple[list[str], list[Path]] | None:
    """Remove cached packages and wheels, except those that somebody has come to need meanwhile.

    Args:
        things: ids of packages and wheels, see `inventory`.

    Returns:
        What went, and where it is now; None where an installation is at work: nothing was done.
    Raises:
        OSError: the cache cannot be written to.
    """
    gone, targets = [], []
    with _alone(cache) as alone:
        if not alone:
            return None
        needed = measure.needed(environments)
        for thing in things:
            kind, _, name = thing.partition(":")
            if thing in needed or "/" in name or name.startswith("."):
                continue
            target = None
            if kind == "pkg":
                target = cache_guard.move_away(cache, name, trash)
            elif kind == "wheel":
                target = _throw_away(environments / STATE_FOLDER / "wheels" / name, trash)
            if target is not None:
                gone.append(thing)
                targets.append(target)
    return gone, targets


def remove(targets: Collection[Path]) -> Cleared:
    """Remove what was thrown away; bytes whose last link went."""
    cleared = [Trash(target.parent).clear(target) for target in targets]
    return Cleared(sum(each.freed_bytes for each in cleared), sum(each.left_files for each in cleared))


def _throw_away(folder: Path, trash: Path) -> Path | None:
    target = trash / f"{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        trash.mkdir(exist_ok=True, mode=0o700)
        folder.rename(target)
    except FileNotFoundError:
        if folder.exists():
            raise
        return None
    return target


@contextmanager
def _alone(cache: Path) -> Iterator[bool]:
    """Whether nobody installs from this cache, and nobody begins to until the end."""
    if not cache.is_dir():
        yield True
        return
    descriptors: list[int] = []
    try:
        for name in (cache_guard.IN_USE, cache_guard.INSTALLING):
            descriptors.append(os.open(cache / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
            try:
                fcntl.flock(descriptors[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
