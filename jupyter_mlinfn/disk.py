"""What a disk has free, and in words what is missing on a full one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .sizes import in_words

MAKE_ROOM = "Remove environments or files that you no longer need, and try again."


class Need(NamedTuple):
    """What work takes, as it was estimated.

    Attributes:
        size: bytes.
        files: inodes, None where nobody counted them.
    """

    size: int
    files: int | None = None


def existing(folder: Path) -> Path:
    """The nearest folder above, or `folder` itself, that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def free(folder: Path) -> tuple[int, int | None]:
    """Bytes and inodes free for the user at `folder`; inodes None where the file system has no
    limit on them (btrfs, many network file systems). From statvfs(3), f_bavail and f_favail.

    Raises:
        OSError: the storage is gone.
    """
    status = os.statvfs(existing(folder))
    return status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None


def missing(folder: Path, need: Need | None = None) -> str:
    """One sentence on how much more room is needed at `folder`; where that is not known, or work
    has given its room back already, on what is free. Empty where the storage does not answer."""
    try:
        size, files = free(folder)
    except OSError:
        return ""
    short = []
    if need is not None and need.size > size:
        short.append(
            f"about {in_words(need.size - size)} more "
            f"({in_words(need.size)} in all, {in_words(size)} are free)"
        )
    if need is not None and need.files is not None and files is not None and need.files > files:
        short.append(f"about {need.files - files:,} files more ({need.files:,} in all, {files:,} are left)")
    if short:
        return f"It needs {' and '.join(short)} on the disk of {folder}."
    left = f" and room for {files:,} files" if files is not None else ""
    needs = f"; about {in_words(need.size)} are needed" if need is not None and need.size else ""
    return f"{in_words(size)}{left} are free on the disk of {folder}{needs}."


def full(folder: Path | None, need: Need | None = None, *, quota: bool = False) -> str:
    """Why nothing more could be written: the reason for the user."""
    reason = "Your quota is used up." if quota else "The disk is full: no space, or no room for more files."
    return f"{reason} {missing(folder, need)}".rstrip() if folder is not None else reason
