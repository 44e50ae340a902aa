"""Folders by descriptors, one step after the other: none of them may be a symbolic link, so that whoever
swaps a folder for one meanwhile has nothing read or written elsewhere (openat(2), "Rationale")."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder_of(base: int, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Descriptor of the folder that `path` lies in, and its last part.

    Args:
        base: descriptor of the folder that `path` is relative to; stays open.
        make: make the folders that are not there.
    Raises:
        OSError: one is not there, may not be opened, or is a link or a file.
    """
    *parents, name = path.split("/")
    current = base
    try:
        for part in parents:
            deeper = _enter(current, part, make=make)
            if current != base:
                os.close(current)
            current = deeper
        yield current, name
    finally:
        if current != base:
            os.close(current)


def _enter(current: int, part: str, *, make: bool) -> int:
    try:
        return os.open(part, FOLDER, dir_fd=current)
    except FileNotFoundError:
        if not make:
            raise
    # Another thread may be faster.
    with suppress(FileExistsError):
        os.mkdir(part, 0o700, dir_fd=current)
    return os.open(part, FOLDER, dir_fd=current)


def parents_of(path: str) -> Iterator[str]:
    """The folders above a relative path, deepest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
