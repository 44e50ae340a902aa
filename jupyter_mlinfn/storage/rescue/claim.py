"""The folder of a rescue: made for one job only, found again by it, tidied up after a kill, or removed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from ...errors import ConflictError, NotFoundError
from .layout import MANIFEST, RESCUED, SUMS, folder_name, journal_name, temporary_prefix
from .manifest import Account, Summary, finished
from .places import FOLDER, folder_of


@contextmanager
def rescued(private: str, *, make: bool) -> Iterator[int]:
    """Descriptor of the folder of all rescues; from here on nothing goes by paths, so that a volume that is
    unmounted meanwhile is not written beside.

    Raises:
        NotFoundError: the private storage is not there; or there are no rescues, without `make`.
        ConflictError: a file or a link is in the way.
        OSError: it cannot be opened, or made.
    """
    try:
        base = os.open(private, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"Your private storage {private} is not there.",
            reason="The volume may have been unmounted or may not answer.",
            hint="Try again in a minute; if it stays away, tell your administrator.",
        ) from error
    try:
        if make:
            with suppress(FileExistsError):
                os.mkdir(RESCUED, 0o700, dir_fd=base)
                os.fsync(base)
        folder = os.open(RESCUED, FOLDER, dir_fd=base)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise ConflictError(
                f"Nothing can be put into {private}/{RESCUED}.",
                reason="It is a file or a symbolic link.",
                hint="Move it out of the way, and try again.",
            ) from error
        if not make and error.errno == errno.ENOENT:
            raise NotFoundError("Nothing was rescued yet.") from error
        raise
    finally:
        os.close(base)
    try:
        yield folder
    finally:
        os.close(folder)


def find(folder: int, created: str, job: str) -> str | None:
    """The name of the job's folder; None where it has none.

    Args:
        folder: descriptor of that of all rescues.
        created: of the job, ISO 8601 in UTC.
    """
    for name in _names(folder, created):
        with suppress(OSError):
            os.stat(f"{name}/{journal_name(job)}", dir_fd=folder, follow_symlinks=False)
            return name
    return None


def find_finished(folder: int, created: str, job: str) -> tuple[str, Summary] | None:
    """The name of the job's folder where it came to its end, with its numbers: it may have been killed
    before it could tell."""
    for name in _names(folder, created):
        with suppress(OSError):
            inner = os.open(name, FOLDER, dir_fd=folder)
            try:
                summary = finished(inner)
            finally:
                os.close(inner)
            if summary is not None and summary.job == job:
                return name, summary
    return None


def make(folder: int, created: str, job: str) -> str:
    """Make one that nobody else has, with an empty journal in it; its name.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    number = 0
    while True:
        number += 1
        name = folder_name(_moment(created), number)
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(f"{name}/{journal_name(job)}", flags, 0o600, dir_fd=folder))
        except FileExistsError:
            continue
        except FileNotFoundError:
            if number > 1000:
                raise
            continue  # Taken for an empty one that nobody wants, see `remove_empty`.
        os.fsync(folder)
        return name


def busy() -> ConflictError:
    return ConflictError(
        "This rescue is at work already.",
        reason="Another process of yours is writing to its folder.",
        hint="Wait until it has ended, or end it.",
    )


def tidy(folder: int, account: Account) -> None:
    """Give verified files their names, and remove what is not whole.

    Args:
        folder: descriptor of the rescue's.
    Raises:
        OSError: the storage is gone, or read-only.
    """
    for path, temporary in account.pending():
        with folder_of(folder, path) as (there, name):
            os.replace(temporary, name, src_dir_fd=there, dst_dir_fd=there)
    prefix, own = temporary_prefix(account.job), journal_name(account.job)

    def is_ours(name: str) -> bool:
        return name.startswith(prefix) and name != own

    _remove(folder, is_ours)


def remove(folder: int, name: str, job: str) -> None:
    """Remove a rescue in which nothing is kept; files of others keep it.

    Args:
        folder: descriptor of that of all rescues.
    """
    with suppress(OSError):
        inner = os.open(name, FOLDER, dir_fd=folder)
        try:
            _remove(inner, lambda each: each.startswith(temporary_prefix(job)))
            for each in (MANIFEST, SUMS):
                with suppress(FileNotFoundError):
                    os.unlink(each, dir_fd=inner)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=folder)


def remove_empty(folder: int, created: str) -> None:
    """Remove what a kill left between the making of a folder and that of its journal."""
    for name in _names(folder, created):
        with suppress(OSError):
            os.rmdir(name, dir_fd=folder)


def _remove(folder: int, wanted: Callable[[str], bool]) -> None:
    """Remove files by their names, and folders that are empty, below `folder`; it itself stays."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if is_folder:
            with suppress(OSError):
                inner = os.open(name, FOLDER, dir_fd=folder)
                try:
                    _remove(inner, wanted)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=folder)
        elif wanted(name):
            os.unlink(name, dir_fd=folder)


def _names(folder: int, created: str) -> list[str]:
    date = folder_name(_moment(created))
    return sorted(name for name in os.listdir(folder) if name == date or name.startswith(f"{date}-"))


def _moment(created: str) -> datetime:
    return datetime.fromisoformat(created.replace("Z", "+00:00")).astimezone(timezone.utc)
