"""The files of a prefix, by their stat: what tells cheaply whether one was changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ... import files

Stat = tuple[int, int, int]
"""Size in bytes, time of the last write in ns, inode."""

Tree = dict[str, Stat]
"""Path relative to the prefix, with slashes → stat. Files and symbolic links, no folders."""

_OURS = "conda-meta/mlinfn"
_LOG = "conda-meta/history"


def walk(prefix: Path) -> Tree:
    """All files that a revision speaks of.

    Not among them: byte code, which Python writes whenever it likes; our marker; conda's log
    ``conda-meta/history``, which only grows.

    Raises:
        OSError: the prefix cannot be read; what vanishes meanwhile is skipped.
    """
    found: Tree = {}
    root = os.fspath(prefix)
    os.stat(root)  # noqa: PTH116 - the prefix itself must be there
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            # os, not pathlib: forty thousand files, and Path objects triple the time.
            with os.scandir(f"{root}/{folder}") as entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != "__pycache__":
                            folders.append(path + "/")
                    elif is_told(path):
                        try:
                            status = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            continue
                        found[path] = (status.st_size, status.st_mtime_ns, status.st_ino)
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def is_told(path: str) -> bool:
    """Whether a revision speaks of the file of that relative path."""
    if path.endswith((".pyc", ".pyo")):
        return False
    return not (path == _LOG or path.startswith((_OURS, "conda-meta/.")))


def stat_of(path: str | Path) -> Stat | None:
    """The stat of one file; None where there is none, or a folder."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if status.st_mode & 0o170000 == 0o040000:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def sha256_of(path: str | Path) -> str | None:
    """As `files.sha256_of`; None where there is nothing to read."""
    try:
        return files.sha256_of(path)
    except OSError:
        return None


def parents(paths: Iterable[str]) -> set[str]:
    """The folders that the files are in, up to the prefix itself (which is left out)."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
