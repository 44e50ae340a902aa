"""Walk environments, revisions, cache and wheels, once, and note who links to which inodes.

Runs in a worker process. Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...times import now
from ..history.layout import Damaged, History
from ..marker import read_marker
from ..places import STATE_FOLDER
from ..worker.cache_guard import BESIDE
from .inventory import Inventory, KeptRevision

_BLOCK = 512
"""Bytes of a block of st_blocks (stat(2)), whatever the file system's own."""


def measure(environments: Path, cache: Path) -> Inventory:
    """Look at everything.

    Args:
        environments: the folder of the user's environments.
        cache: the package cache that is written to.
    Raises:
        OSError: the folder of environments is there and cannot be read.
    """
    inventory = Inventory(now(), stamps(environments, cache))
    walk = _Walk()
    state = environments / STATE_FOLDER
    for name in _folders(environments):
        if name != STATE_FOLDER:
            inventory.environments[name] = not walk.add(f"env:{name}", environments / name)
    inventory.needed = sorted(_needed_now(environments, list(inventory.environments)))
    _packages(cache, walk, inventory)
    for sha256 in _folders(state / "wheels"):
        walk.add(f"wheel:{sha256}", state / "wheels" / sha256)
        files = [*_names(state / "wheels" / sha256), sha256]
        inventory.packages[f"wheel:{sha256}"] = files[0]
    for name in _folders(state / "history"):
        _revisions(History(state / "history" / name), environments / name, walk, inventory)
    inventory.groups = walk.groups()
    return inventory


def stamps(environments: Path, cache: Path) -> dict[str, int]:
    """Times that change when packages, environments or revisions come or go; a few dozen looks."""
    state = environments / STATE_FOLDER
    watched = {"": environments, "cache": cache, "wheels": state / "wheels"}
    for name in _folders(environments):
        watched[f"env:{name}"] = environments / name / "conda-meta"
        watched[f"rev:{name}"] = state / "history" / name / "revisions"
    found = {}
    for key, path in watched.items():
        with suppress(OSError):
            found[key] = path.stat().st_mtime_ns
    return found


def _needed_now(environments: Path, names: list[str]) -> set[str]:
    """Ids of the packages that the environments have: conda names records as folders of the cache."""
    return {
        f"pkg:{record.removesuffix('.json')}"
        for name in names
        for record in _names(environments / name / "conda-meta")
        if record.endswith(".json")
    }


def needed(environments: Path) -> set[str]:
    """Ids of all cached packages and wheels that an environment or a restorable revision needs."""
    names = [name for name in _folders(environments) if name != STATE_FOLDER]
    found = _needed_now(environments, names)
    for name in names:
        history = History(environments / STATE_FOLDER / "history" / name)
        if _belongs(history, environments / name):
            listed = [_revision(history, number, set()) for number in history.numbers()]
            kept = Inventory("", revisions={name: listed}).restorable(name)
            found.update(*(each.needs for each in listed if each.number in kept))
    return found


def _packages(cache: Path, walk: _Walk, inventory: Inventory) -> None:
    folders = {name for name in _folders(cache) if (cache / name / "info").is_dir() and name[0] != "."}
    beside = {name + suffix: name for name in folders for suffix in BESIDE}
    for stem in sorted(folders):
        walk.add(f"pkg:{stem}", cache / stem)
        inventory.packages[f"pkg:{stem}"] = stem
    for name in _names(cache):
        if name not in folders:
            walk.add(f"pkg:{beside[name]}" if name in beside else "cache", cache / name)


def _revisions(history: History, prefix: Path, walk: _Walk, inventory: Inventory) -> None:
    name = history.folder.name
    present = set(inventory.needed)
    listed = []
    for number in history.numbers():
        listed.append(_revision(history, number, present))
        for part in ("delta.json", "old"):
            walk.add(f"rev:{name}:{number}", history.revision(number) / part)
    inventory.revisions[name] = listed
    if not _belongs(history, prefix):
        inventory.orphans.append(name)


def _belongs(history: History, prefix: Path) -> bool:
    marker = read_marker(prefix)
    return marker is not None and history.belongs_to(marker.job)


def _revision(history: History, number: int, present: set[str]) -> KeptRevision:
    folder = history.revision(number)
    needs: set[str] = set()
    created = ""
    # Of one that cannot be read nothing is known; nobody can go back to it either.
    with suppress(Damaged, KeyError, TypeError, AttributeError):
        body = history.read_revision(number)
        created = str(body["created"])
        needs = {f"pkg:{entry['file'].removesuffix('.json')}" for entry in body["conda"]}
        needs |= {f"wheel:{entry['wheel_sha256']}" for entry in body["pip"] if entry.get("wheel_sha256")}
    delta = (folder / "delta.json").exists()
    leftover = not delta and (folder / "old").exists()
    return KeptRevision(number, created, delta, leftover, sorted(needs - present))


class _Walk:
    """Inodes and the things that link to them."""

    def __init__(self) -> None:
        self._single: dict[str, list[int]] = {}
        self._linked: dict[tuple[int, int], list[int | str]] = {}
        """By device and inode: number of links altogether, bytes, and the thing of each link seen."""

    def add(self, thing: str, root: Path) -> bool:
        """Walk a file or folder that belongs to `thing`; whether all of it could be read."""
        whole = True
        try:
            self._note(thing, os.lstat(root))
        except FileNotFoundError:
            return True
        folders = [] if root.is_symlink() or not root.is_dir() else [os.fspath(root)]
        while folders:
            try:
                entries = list(os.scandir(folders.pop()))
            except FileNotFoundError:
                continue
            except OSError:
                whole = False
                continue
            for entry in entries:
                try:
                    self._note(thing, entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                except FileNotFoundError:
                    continue
        return whole

    def _note(self, thing: str, status: os.stat_result) -> None:
        size = status.st_blocks * _BLOCK
        if status.st_nlink > 1 and status.st_mode & 0o170000 != 0o040000:
            key = (status.st_dev, status.st_ino)
            self._linked.setdefault(key, [status.st_nlink, size]).append(thing)
            return
        amount = self._single.setdefault(thing, [0, 0])
        amount[0] += size
        amount[1] += 1

    def groups(self) -> list[tuple[list[str], int, int, int]]:
        """See `Inventory.groups`."""
        sums: dict[tuple[tuple[str, ...], int], list[int]] = {
            ((thing,), 0): amount for thing, amount in self._single.items()
        }
        for links, size, *things in self._linked.values():
            elsewhere = int(len(things) < int(links))
            key = (tuple(sorted({str(thing) for thing in things})), elsewhere)
            amount = sums.setdefault(key, [0, 0])
            amount[0] += int(size)
            amount[1] += 1
        return [(list(things), elsewhere, size, files) for (things, elsewhere), (size, files) in sums.items()]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, of thousands
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
