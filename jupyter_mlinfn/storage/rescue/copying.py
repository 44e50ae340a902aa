"""Copies one file into a temporary one beside its place, and makes sure that it is there as it was read."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from .hashing import BLOCK, Hash
from .places import folder_of

_BESIDE = 4 * BLOCK
"""Bytes from which a file's hash is computed beside its copying: below, two threads cost more."""
_WRITE_OUT = 16 * BLOCK
"""Bytes after which the disk is told to begin writing, for it not to begin with the fsync."""
_HOLE = 64 * BLOCK
"""Bytes of a hole that are hashed before it is looked whether there is time for more."""
_MODE = 0o777
"""Of permissions; a program that runs as somebody else (set-user-ID) is not made anew under another owner."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe that took a file's place just now must not make us wait for who writes to it."""
_NOT_TAKEN = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS)


class Stopped(Exception):
    """There is no more time."""


class LeftError(Exception):
    """A file is not copied; the text is the reason for the user."""


class WriteError(Exception):
    """The storage did not take a file; `os_error` says why."""

    def __init__(self, os_error: OSError) -> None:
        super().__init__(str(os_error))
        self.os_error = os_error


class Copy(NamedTuple):
    """A file that lies whole and verified under its temporary name.

    Attributes:
        size: bytes that one reads in it.
        weight: bytes that it takes: without holes.
        sha256: None for a symbolic link.
        link: where a symbolic link leads to.
        changed: its source was being written to, each time.
    """

    size: int
    weight: int
    mtime_ns: int
    sha256: str | None
    link: str | None = None
    changed: bool = False


def weight_of(status: os.stat_result) -> int:
    """Bytes that a file takes: less than its size where it has holes.

    A file system that says 0 for one that has content does not tell.
    """
    if stat.S_ISLNK(status.st_mode):
        return 0
    taken = status.st_blocks * 512
    return min(status.st_size, taken) if taken else status.st_size


class Copier:
    """Copies files from below one folder to below another; its methods may be called on any thread.

    Args:
        target: descriptor of the folder that is copied to.
        stop: set where there is no more time.
        moved: told of bytes as they are copied, and minus those of a copy that counts for nothing.
    """

    def __init__(self, target: int, stop: threading.Event, moved: Callable[[int], None]) -> None:
        self._target = target
        self._stop = stop
        self._moved = moved
        self._local = threading.local()

    def copy(self, base: int, relative: str, path: str, temporary: str) -> Copy:
        """Copy a file to `temporary`, in the folder of `path`; nothing of it is left where that fails.

        Args:
            base: descriptor of the folder that `relative` is below.
        Raises:
            LeftError: it is no file, cannot be read, or is gone.
            WriteError: the storage does not take it.
            Stopped: there is no more time.
        """
        try:
            with folder_of(base, relative) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISLNK(status.st_mode):
                    return self._link(folder, name, status, path, temporary)
                if reason := not_a_file(status.st_mode):
                    raise LeftError(reason)
                source = os.open(name, _READ, dir_fd=folder)
        except OSError as error:
            raise LeftError(_unreadable(error)) from error
        try:
            if reason := not_a_file(os.fstat(source).st_mode):
                raise LeftError(reason)
            return self._file(source, path, temporary)
        finally:
            os.close(source)

    def is_hole(self, base: int, relative: str) -> bool:
        """Whether a file has a size and no content."""
        try:
            with folder_of(base, relative) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if status.st_blocks or not stat.S_ISREG(status.st_mode):
                    return False
                source = os.open(name, _READ, dir_fd=folder)
        except OSError:
            return False
        try:
            return _next_data(source, 0, status.st_size) == status.st_size
        finally:
            os.close(source)

    def _link(self, folder: int, name: str, status: os.stat_result, path: str, temporary: str) -> Copy:
        leads_to = os.readlink(name, dir_fd=folder)
        try:
            with folder_of(self._target, path, make=True) as (there, _):
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=there)
                os.symlink(leads_to, temporary, dir_fd=there)
                with suppress(OSError):
                    times = (status.st_atime_ns, status.st_mtime_ns)
                    os.utime(temporary, ns=times, dir_fd=there, follow_symlinks=False)
        except OSError as error:
            raise WriteError(error) from error
        return Copy(len(os.fsencode(leads_to)), 0, status.st_mtime_ns, None, leads_to)

    def _file(self, source: int, path: str, temporary: str) -> Copy:
        try:
            with folder_of(self._target, path, make=True) as (there, _):
                flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                target = os.open(temporary, flags, 0o600, dir_fd=there)
                try:
                    return self._try_twice(source, target)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(temporary, dir_fd=there)
                    raise
                finally:
                    os.close(target)
        except OSError as error:
            raise WriteError(error) from error

    def _try_twice(self, source: int, target: int) -> Copy:
        first = self._attempt(source, target)
        if first is not None and not first.changed:
            return first
        if first is not None:
            self._moved(-first.weight)
        second = self._attempt(source, target)
        if second is None:
            raise LeftError("What was read back is not what was written, twice: the storage may be faulty.")
        return second

    def _attempt(self, source: int, target: int) -> Copy | None:
        """None where what was read back is something else."""
        before = os.fstat(source)
        weight = weight_of(before)
        sha256, size = self._content(source, target, before)
        after = os.fstat(source)
        changed = size != before.st_size or _version(before) != _version(after)
        _attributes(source, target, before)
        os.fsync(target)
        _drop(target)
        # Beside its source, if that is as it was when it was hashed: that is cheaper than a second hash.
        is_same = not changed and not _has_holes(before) and self._is_beside(source, target, size)
        if not is_same and self._read_back(target, size, has_holes=_has_holes(before)) != sha256:
            self._moved(-weight)
            return None
        return Copy(size, weight, before.st_mtime_ns, sha256, changed=changed)

    def _content(self, source: int, target: int, status: os.stat_result) -> tuple[str, int]:
        """Copy what is there now; its hash, and how much it was."""
        _past_memory(target, on=False)
        os.ftruncate(target, 0)
        size, told = status.st_size, 0
        has_holes = _has_holes(status)
        hashed = self._hashed(size)
        position = written_out = 0
        while position < size:
            self._check()
            if has_holes and (data := _next_data(source, position, size)) > position:
                data = min(data, position + _HOLE)
                hashed.zeros(data - position)
                position = data
                continue
            until = _next_hole(source, position, size) if has_holes else size
            block = hashed.buffer()[: min(BLOCK, until - position)]
            try:
                count = os.preadv(source, [block], position)
            except OSError as error:
                raise LeftError(_unreadable(error)) from error
            if not count:
                break  # It was made shorter.
            _write(target, block[:count], position)
            hashed.feed(block[:count])
            position += count
            told += count
            self._moved(count)
            if position - written_out >= _WRITE_OUT:
                _drop(target, written_out, position - written_out)
                written_out = position
        if has_holes:
            os.ftruncate(target, position)
        # What was not moved for holes or for a change meanwhile, so that all sum up to the weight.
        self._moved(weight_of(status) - told)
        return hashed.hexdigest(), position

    def _is_beside(self, source: int, target: int, size: int) -> bool:
        """Whether both have the same content; False also where that cannot be told so."""
        position = 0
        direct = size >= BLOCK and _past_memory(target, on=True)
        block = self._hashed(size).buffer()
        while position < size:
            self._check()
            try:
                count = min(os.preadv(target, [block], position), size - position)
                if not count or os.pread(source, count, position) != block[:count].tobytes():
                    return False
            except OSError:
                # Reading by the hash says why, or reads through the memory.
                return False
            position += count
        if direct:
            _past_memory(target, on=False)
        return True

    def _read_back(self, target: int, size: int, *, has_holes: bool) -> str:
        hashed = self._hashed(size)
        position = 0
        direct = size >= BLOCK and _past_memory(target, on=True)
        while position < size:
            self._check()
            if has_holes and (data := _next_data(target, position, size)) > position:
                data = min(data, position + _HOLE)
                hashed.zeros(data - position)
                position = data
                continue
            block = hashed.buffer()
            try:
                count = os.preadv(target, [block], position)
            except OSError as error:
                if not direct or error.errno != errno.EINVAL:
                    raise
                direct = _past_memory(target, on=False)
                continue
            if not count:
                break
            count = min(count, size - position)
            hashed.feed(block[:count])
            position += count
        return hashed.hexdigest()

    def _hashed(self, size: int) -> Hash:
        """A hash for a file of that size, with this thread's buffers."""
        local = self._local
        if not hasattr(local, "buffers"):
            # Of whole pages, as reading past the memory needs them.
            local.buffers = [memoryview(mmap.mmap(-1, BLOCK)) for _ in range(2)]
            local.beside = None
        if size < _BESIDE:
            return Hash(local.buffers, None)
        if local.beside is None:
            local.beside = ThreadPoolExecutor(1, "hash")
        return Hash(local.buffers, local.beside)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def not_a_file(mode: int) -> str:
    """What it is where it is neither a file nor a symbolic link: the reason why it is left."""
    kinds = {
        stat.S_IFSOCK: "It is a socket: there is nothing in it to keep.",
        stat.S_IFIFO: "It is a named pipe: there is nothing in it to keep.",
        stat.S_IFCHR: "It is a device.",
        stat.S_IFBLK: "It is a device.",
        stat.S_IFDIR: "It has become a folder meanwhile.",
    }
    return kinds.get(stat.S_IFMT(mode), "")


def _unreadable(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "It was removed meanwhile."
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "A folder on the way to it, or itself, was replaced meanwhile."
    return f"It cannot be read: {error.strerror or error}."


def _has_holes(status: os.stat_result) -> bool:
    return status.st_blocks * 512 < status.st_size


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _next_data(source: int, position: int, size: int) -> int:
    try:
        return min(size, os.lseek(source, position, os.SEEK_DATA))
    except OSError as error:
        # ENXIO: nothing but a hole until the end; else a file system that knows none (lseek(2)).
        return size if error.errno == errno.ENXIO else position


def _next_hole(source: int, position: int, size: int) -> int:
    try:
        return min(size, os.lseek(source, position, os.SEEK_HOLE))
    except OSError:
        return size


def _write(target: int, data: memoryview, position: int) -> None:
    while data:
        count = os.pwrite(target, data, position)
        data, position = data[count:], position + count


def _drop(target: int, position: int = 0, length: int = 0) -> None:
    """Have the disk begin to write what is not written, and memory let go of what is, so that reading
    reads the disk (posix_fadvise(2), POSIX_FADV_DONTNEED). A hint: a file system may not take it."""
    with suppress(OSError):
        os.posix_fadvise(target, position, length, os.POSIX_FADV_DONTNEED)


def _past_memory(target: int, *, on: bool) -> bool:
    """Have reading ask the storage itself (open(2), O_DIRECT), where it can; whether it does."""
    flags = fcntl.fcntl(target, fcntl.F_GETFL)
    try:
        fcntl.fcntl(target, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError:
        return False
    return on


def _attributes(source: int, target: int, status: os.stat_result) -> None:
    """Times, permissions and the user's extended attributes, as far as the storage takes them."""
    with suppress(OSError):
        for name in os.listxattr(source):
            if name.startswith("user."):
                os.setxattr(target, name, os.getxattr(source, name))
    try:
        os.fchmod(target, stat.S_IMODE(status.st_mode) & _MODE)
    except OSError as error:
        if error.errno not in _NOT_TAKEN:
            raise
    with suppress(OSError):
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
