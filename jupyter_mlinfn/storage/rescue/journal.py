"""The journal of one rescue: what it was about to do, and what is done, line by line.

Lines of JSON, appended; one of these keys comes first and says what it is::

    {"begin": JOB, "attempt": 1, "time": …, "root": …, "home": …}
    {"plan": SOURCE, "size": …}          is going to be copied, or named as left
    {"kept": PATH, "source": …, "temporary": …, …}    is there whole and verified, and about to be called so;
                                         "again": true where an earlier line tells of the same path
    {"left": SOURCE, "size": …, "reason": …}           "other": true where it is kept as it was before;
                                         "uncounted": true where there is nothing in it to keep

A kill may tear the last line, which then counts for nothing.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from .layout import journal_name

Line = dict[str, Any]


class BusyError(Exception):
    """Another process has the journal."""


class Journal:
    """Open for writing, which one process at a time can have.

    Raises:
        BusyError: another one has it.
        FileNotFoundError: there is none, and `make` is not given.
        OSError: the storage is gone, full or read-only.
    """

    def __init__(self, folder: int, job: str, *, make: bool) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        name = journal_name(job)
        self._descriptor = os.open(name, flags | (os.O_CREAT if make else 0), 0o600, dir_fd=folder)
        try:
            _lock(self._descriptor)
            _cut_torn_line(self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines, and have them survive a power cut.

        Raises:
            OSError: none of them is there.
        """
        data = memoryview("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode())
        size = os.fstat(self._descriptor).st_size
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError:
            # On a full disk a part of it may be there, to which nothing must be appended.
            with suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise

    def close(self) -> None:
        os.close(self._descriptor)


def read(folder: int, job: str, *kinds: str, mark: str = "") -> Iterator[Line]:
    """The lines of a journal, whoever writes to it.

    Args:
        kinds: only lines of these.
        mark: and those that have this key.
    Raises:
        OSError: it is not there, or the storage does not give it.
    """
    descriptor = os.open(journal_name(job), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    # Most of a million lines need not be parsed.
    begins = tuple(f'{{"{kind}":'.encode() for kind in kinds)
    marked = f'"{mark}":'.encode()
    with os.fdopen(descriptor, "rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            if not raw.startswith(begins) and not (mark and marked in raw):
                continue
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise BusyError from error
        # A file system that knows no locks: the job's lease has to do.


def _cut_torn_line(descriptor: int) -> None:
    size = end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 65536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)
