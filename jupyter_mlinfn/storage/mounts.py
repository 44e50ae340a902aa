"""The table of mounts, and which of them a path lies on. Pure: no file system is asked.

The table is read as proc_pid_mountinfo(5) describes it:
https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .models import Mount

FILE = Path("/proc/self/mountinfo")

_ESCAPED = re.compile(rb"\\([0-7]{3})")
_TOP = -1
"""Stands for the parent of mounts whose parent this process does not see."""


class MountTable:
    """The mounts of one namespace.

    Args:
        mounts: in the order of the table.
    """

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self.mounts = list(mounts)
        ids = {mount.mount_id for mount in self.mounts}
        self._children: dict[tuple[int, str], Mount] = {}
        for mount in self.mounts:
            # The first mount of all may be its own parent.
            seen = mount.parent_id in ids and mount.parent_id != mount.mount_id
            # Of two at one place the later covers the earlier.
            self._children[mount.parent_id if seen else _TOP, mount.point] = mount

    @classmethod
    def parse(cls, content: bytes) -> MountTable:
        """The table as the kernel writes it; lines that make no sense are left out."""
        return cls([mount for line in content.split(b"\n") if (mount := _parse_line(line)) is not None])

    @classmethod
    def read(cls, file: Path = FILE) -> MountTable:
        """This process's; without mounts where the system has no such file.

        Raises:
            OSError: it is there and cannot be read.
        """
        try:
            return cls.parse(file.read_bytes())
        except FileNotFoundError:
            return cls([])

    @property
    def root(self) -> Mount | None:
        """What the root of this process's files is."""
        return self.of("/")

    def of(self, path: str) -> Mount | None:
        """The mount that a resolved path lies on: found as the kernel does, from the root downwards,
        so that what a later mount covers is not taken for it.

        Args:
            path: absolute, without links; it need not exist.
        """
        current: Mount | None = None
        passed: set[int] = set()
        for prefix in _prefixes(path):
            parent = _TOP if current is None else current.mount_id
            # Mounts may lie on top of each other, but no one twice.
            while (mount := self._children.get((parent, prefix))) and mount.mount_id not in passed:
                current, parent = mount, mount.mount_id
                passed.add(parent)
        return current

    def visible(self) -> list[Mount]:
        """Those that no other covers."""
        return [mount for mount in self.mounts if self.of(mount.point) is mount]


def _prefixes(path: str) -> Iterator[str]:
    yield "/"
    end = 0
    while end >= 0 and len(path) > 1:
        end = path.find("/", end + 1)
        yield path if end < 0 else path[:end]


def _parse_line(line: bytes) -> Mount | None:
    # One blank between fields, of which some may be empty; " - " ends the optional ones.
    head, separator, tail = line.partition(b" - ")
    fields, more = head.split(b" "), tail.split(b" ")
    if not separator or len(fields) < 6 or len(more) < 3:
        return None
    try:
        mount_id, parent_id = int(fields[0]), int(fields[1])
    except ValueError:
        return None
    return Mount(
        mount_id,
        parent_id,
        device=fields[2].decode("ascii", "replace"),
        root=_text(fields[3]),
        point=_text(fields[4]),
        options=frozenset(_text(fields[5]).split(",")),
        fs_type=_text(more[0]),
        source=_text(more[1]),
        super_options=frozenset(_text(more[2]).split(",")),
    )


def _text(field: bytes) -> str:
    """A field without its octal escapes; bytes that are no UTF-8 as Python's file names have them."""
    return os.fsdecode(_ESCAPED.sub(lambda escape: bytes([int(escape[1], 8) & 0xFF]), field))
