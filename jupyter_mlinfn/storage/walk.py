"""Walks the files that would be lost. Blocks; for a worker process or a thread that may be left behind.

Imports next to nothing, and what it takes can be pickled and written as JSON. Symbolic links are files
here: none is followed, so nothing outside of what was asked for is met.
"""

# No pathlib: it would be a third of what the worker imports.
# ruff: noqa: PTH112, PTH114, PTH117, PTH118

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

_VENV = "pyvenv.cfg"

MARKERS = frozenset(("conda-meta", _VENV, "CACHEDIR.TAG"))
"""A folder with one of these is an environment (of conda; of venv, PEP 405) or says itself that it is a
cache (https://bford.info/cachedir/): it is made anew, not rescued."""

_OF_VENV = frozenset((_VENV, "bin", "etc", "include", "lib", "lib64", "share", ".gitignore"))
"""What venv and pip put into one: people also make theirs in the folder of their work."""

_FIRST = 512
"""Entries of a folder that are read before it is decided whether to go through it."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Plan(NamedTuple):
    """What is walked; absolute and resolved paths.

    Attributes:
        bases: JupyterLab's root, then the home.
        regions: the topmost folders, in the bases, of what does not last and can be written.
        borders: folders in the bases at which another file system, or one that is configured otherwise,
            begins; some are regions of their own.
        since: files made or changed earlier are not the user's work of this session; None: all are.
        ignored: patterns (fnmatch) of names that are left out, with what is below them.
        ignored_folders: the same, by path; files, too.
    """

    bases: Sequence[str]
    regions: Sequence[str]
    borders: Sequence[str]
    since: float | None = None
    ignored: Sequence[str] = ()
    ignored_folders: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Plan:
        return cls(**body)


class Found(NamedTuple):
    """A file: everything that is no folder, symbolic links, sockets and devices among it.

    Attributes:
        base: the one of `Plan.bases` that it is told relative to; the first that it is in.
        relative: its path below `base`.
        status: of itself (lstat(2)).
    """

    path: str
    base: str
    relative: str
    status: os.stat_result


class Skipped:
    """What a walk did not see.

    Attributes:
        ignored: left out by rule: a folder counts as one.
        unreadable: folders and files that the user may not read, or that the storage did not give.
        vanished: went while they were looked at.
    """

    def __init__(self) -> None:
        self.ignored = 0
        self.unreadable = 0
        self.vanished = 0

    def note(self, path: str, error: OSError) -> None:
        """A file or folder was not seen for that error."""
        if isinstance(error, FileNotFoundError):
            self.vanished += 1
        else:
            self.unreadable += 1


def problem(plan: Plan, path: str) -> str:
    """Why a path that somebody chose cannot be walked, a sentence; empty where it can.

    Args:
        path: absolute; its folder is resolved here, it itself is not.
    """
    if not is_path(path):
        return "It is no absolute path."
    path = real(path)
    if not any(within(path, base) for base in plan.bases):
        return "It is neither in the folder that JupyterLab shows nor in your home."
    if not os.path.lexists(path):
        return "It is not there, or no longer."
    if _region_of(plan, path) is None and not _regions_below(plan, path):
        return "It is on storage that lasts, or that nobody can write to."
    return ""


def walk(plan: Plan, paths: Sequence[str] | None = None, skipped: Skipped | None = None) -> Iterator[Found]:
    """All files of the plan, folder by folder: what is below one comes before its next neighbour.

    Args:
        paths: only these files, and what is in these folders, where `problem` has nothing to say;
            a file that is named is given whatever its age. Default: everything.
        skipped: is told what was not seen.
    """
    skipped = skipped or Skipped()
    walker = _Walker(plan, skipped)
    if paths is None:
        for top in plan.regions:
            yield from walker.tree(top)
        return
    given: set[str] = set()
    for path in sorted({real(each) for each in paths if is_path(each)}):
        # What is in a folder that was named as well comes only once.
        if any(within(path, other) for other in given) or problem(plan, path):
            continue
        inside = _region_of(plan, path) is not None
        if os.path.isdir(path) and not os.path.islink(path):
            given.add(path)
            if inside:
                yield from walker.tree(path)
            for top in _regions_below(plan, path):
                yield from walker.tree(top)
        elif inside and (found := walker.file(path)) is not None:
            yield found


def is_path(path: str) -> bool:
    """Whether there can be a file of that absolute path: clients may send anything."""
    try:
        return os.path.isabs(path) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def real(path: str) -> str:
    """The path with its folder resolved; a link stays one."""
    folder, name = os.path.split(path.rstrip("/") or "/")
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(folder), name)


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it; both without ``..``."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _region_of(plan: Plan, path: str) -> str | None:
    """The region that a path is in; None where another, or none, begins between."""
    tops = {*plan.regions, *plan.borders}
    top = max((each for each in tops if within(path, each)), key=len, default=None)
    return top if top in plan.regions else None


def _regions_below(plan: Plan, path: str) -> list[str]:
    return [top for top in plan.regions if top != path and within(top, path)]


class _Walker:
    def __init__(self, plan: Plan, skipped: Skipped) -> None:
        self._bases = [(base, len(base.rstrip("/")) + 1) for base in plan.bases]
        self._ends = {*plan.borders, *plan.regions}
        self._since = plan.since
        self._ignored = _matcher(plan.ignored)
        self._ignored_paths = frozenset(plan.ignored_folders)
        self._skipped = skipped

    def file(self, path: str) -> Found | None:
        try:
            return self._found(path, os.lstat(path))
        except OSError as error:
            self._skipped.note(path, error)
            return None

    def tree(self, top: str) -> Iterator[Found]:
        """Everything below `top` up to the borders; the rules are not held against `top` itself."""
        folders = [top]
        while folders:
            folder = folders.pop()
            below: list[str] = []
            try:
                yield from self._folder(folder, below, is_top=folder == top)
            except NotADirectoryError as error:
                # A single file may be mounted; what has become a link since it was seen is none of ours.
                found = self.file(top) if folder == top and not os.path.islink(top) else None
                if found is not None:
                    yield found
                else:
                    self._skipped.note(folder, error)
            except OSError as error:
                self._skipped.note(folder, error)
            folders.extend(reversed(below))

    def _folder(self, folder: str, below: list[str], *, is_top: bool) -> Iterator[Found]:
        """The files of one folder; its subfolders go to `below`."""
        prefix = folder if folder.endswith("/") else folder + "/"
        since, ignored, skipped = self._since, self._ignored, self._skipped
        descriptor = os.open(folder, _FOLDER)
        try:
            with os.scandir(descriptor) as entries:
                first = list(islice(entries, _FIRST))
                marks: frozenset[str] = frozenset() if is_top else _marks(first, descriptor)
                if marks - {_VENV}:
                    skipped.ignored += 1
                    return
                for entry in chain(first, entries):
                    name = entry.name
                    if ignored(name) or (marks and name in _OF_VENV):
                        skipped.ignored += 1
                        continue
                    path = prefix + name
                    if path in self._ignored_paths:
                        skipped.ignored += 1
                        continue
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            if path not in self._ends:
                                below.append(path)
                            continue
                        # A single file may be mounted as well.
                        if path in self._ends:
                            continue
                        status = entry.stat(follow_symlinks=False)
                    except OSError as error:
                        skipped.note(path, error)
                        continue
                    if since is not None and status.st_mtime < since and status.st_ctime < since:
                        continue
                    yield self._found(path, status)
        finally:
            os.close(descriptor)

    def _found(self, path: str, status: os.stat_result) -> Found:
        for base, length in self._bases:
            if path.startswith(base) and within(path, base):
                return Found(path, base, path[length:], status)
        raise ValueError(f"{path!r} is outside of what is walked")


def _marks(first: Sequence[os.DirEntry[str]], descriptor: int) -> frozenset[str]:
    """Those of `MARKERS` that a folder bears; a long one is asked for each of them."""
    if len(first) == _FIRST:
        return frozenset(name for name in MARKERS if _has(name, descriptor))
    return MARKERS.intersection(entry.name for entry in first)


def _has(name: str, descriptor: int) -> bool:
    try:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except OSError:
        return False
    return True


def _matcher(patterns: Sequence[str]) -> Callable[[str], Any]:
    """One look for all patterns."""
    if not patterns:
        return lambda _: None
    return re.compile("|".join(f"(?:{fnmatch.translate(pattern)})" for pattern in patterns)).match
