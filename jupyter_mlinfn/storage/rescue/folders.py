"""The folders of a rescue: their times and permissions come last, for files in them change both."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from .layout import HOME
from .places import FOLDER, folder_of, parents_of

_THREADS = 8


class Folders:
    """Remembers what was put where; lives on one thread.

    Args:
        target: descriptor of the rescue's folder.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._sources: dict[str, tuple[int, str]] = {}

    def touched(self, path: str, base: int, relative: str) -> None:
        """A file goes to `path`, from `relative` below the folder of descriptor `base`."""
        for folder, source in zip(parents_of(path), parents_of(relative), strict=False):
            if folder in self._sources:
                break
            self._sources[folder] = base, source

    def settle(self) -> None:
        """Give folders the times and permissions of their sources, remove empty ones, and have all names
        survive a power cut.

        Raises:
            OSError: the storage is gone.
        """
        # From the deepest on: what is made or removed in a folder changes its time.
        by_depth: dict[int, list[str]] = {}
        for path in self._sources:
            by_depth.setdefault(path.count("/"), []).append(path)
        with ThreadPoolExecutor(_THREADS, "folders") as pool:
            for depth in sorted(by_depth, reverse=True):
                list(pool.map(self._settle, by_depth[depth]))
        for path in (HOME, ""):
            with suppress(FileNotFoundError):
                _synchronised(os.open(path or ".", FOLDER, dir_fd=self._target))

    def _settle(self, path: str) -> None:
        base, source = self._sources[path]
        with folder_of(self._target, path) as (parent, name):
            with suppress(OSError):
                # Of files that could not be copied; refused where there is one.
                os.rmdir(name, dir_fd=parent)
                return
            with suppress(FileNotFoundError):
                _synchronised(os.open(name, FOLDER, dir_fd=parent), lambda it: _attributes(it, base, source))


def _synchronised(folder: int, change: Callable[[int], None] = lambda _: None) -> None:
    try:
        change(folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def _attributes(folder: int, base: int, source: str) -> None:
    """The owner may always write: a rescued folder is theirs to move and to remove."""
    with suppress(OSError), folder_of(base, source) as (there, name):
        status = os.stat(name, dir_fd=there, follow_symlinks=False)
        os.fchmod(folder, stat.S_IMODE(status.st_mode) & 0o777 | 0o700)
        os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
