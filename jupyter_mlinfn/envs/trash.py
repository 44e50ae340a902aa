"""Removing an environment in two steps: out of sight at once, off the disk after that.

A rename is atomic; a removal of ten thousand files is not, and on NFS a file that some
process still has open comes back as ``.nfsXXXX`` and keeps its folder from being removed
until that process ends (https://nfs.sourceforge.net/#faq_d2). What is left is cleared by a
later sweep. Everything here blocks: use it from a thread.
"""

from __future__ import annotations

import errno
import os
import threading
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import MlinfnError, NotAllowedError, NotFoundError


@dataclass(frozen=True)
class Cleared:
    """What a sweep did."""

    freed_bytes: int
    """Blocks of files whose last link went; hard links elsewhere, e.g. in the cache, free nothing."""
    left_files: int
    """Files, and folders without any, that could not be removed yet."""
    stopped: bool = False
    """Whether the process ends, so that the rest is left to the next."""


class Trash:
    """A folder on the same volume as what is thrown away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let what is being cleared be: the process ends, and the next one goes on with it."""
        self._stop.set()

    def throw_away(self, path: Path) -> Path:
        """Move `path` into the trash, atomically, and tell where it is now.

        Raises:
            NotFoundError: it is gone already.
            MlinfnError: it cannot be moved.
        """
        target = self._folder / f"{path.name}-{uuid.uuid4().hex[:8]}"
        try:
            # Not with its parents: below a volume that went away nothing may be made.
            self._folder.mkdir(exist_ok=True, mode=0o700)
            path.rename(target)
        except FileNotFoundError as error:
            raise NotFoundError(
                f"{path.name} is not there any more.", reason="Somebody removed it already."
            ) from error
        except PermissionError as error:
            raise NotAllowedError(
                f"{path.name} cannot be removed.", reason=str(error), hint="Ask your administrator."
            ) from error
        except OSError as error:
            raise MlinfnError(
                f"{path.name} cannot be removed.",
                reason=str(error),
                hint="Nothing was changed. Try again in a minute.",
            ) from error
        return target

    def clear(self, target: Path) -> Cleared:
        """Remove one thing that was thrown away, as far as it lets itself be removed."""
        freed = 0
        while True:
            locked: list[OSError] = []
            cleared = self._pass(target, locked)
            freed += cleared.freed_bytes
            # Once more where folders could be opened that did not let themselves be looked into.
            opened = [_unlock(error) for error in locked]
            if cleared.stopped or not any(opened):
                return replace(cleared, freed_bytes=freed)

    def _pass(self, target: Path, locked: list[OSError]) -> Cleared:
        freed = left = 0
        for folder, folders, files in os.walk(target, topdown=False, onerror=locked.append):
            for name in files + [f for f in folders if os.path.islink(os.path.join(folder, f))]:  # noqa: PTH114, PTH118
                if self._stop.is_set():
                    return Cleared(freed, left, stopped=True)
                blocks = _unlink(os.path.join(folder, name))  # noqa: PTH118
                if blocks is None:
                    left += 1
                else:
                    freed += blocks
            left += 0 if _rmdir(folder) else 1
        return Cleared(freed, left)

    def sweep(self) -> Cleared:
        """Remove everything that was thrown away."""
        try:
            targets = list(self._folder.iterdir())
        except OSError:
            return Cleared(0, 0)
        cleared = [self.clear(target) for target in targets]
        return Cleared(
            sum(each.freed_bytes for each in cleared),
            sum(each.left_files for each in cleared),
            any(each.stopped for each in cleared),
        )


# os.path and os, not pathlib: ten thousand files a removal, and Path objects triple its time.
def _unlink(path: str) -> int | None:
    """Bytes that came back, or None when the file stays."""
    try:
        stat = os.lstat(path)
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return 0
    except PermissionError:
        return _unlink_from_locked_folder(path)
    except OSError:
        return None
    return stat.st_blocks * 512 if stat.st_nlink == 1 else 0


def _rmdir(folder: str) -> bool:
    """Whether the folder is gone, or stays only for what is in it, which is counted itself."""
    try:
        os.rmdir(folder)  # noqa: PTH106
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)
    return True


def _unlock(error: OSError) -> bool:
    """Whether a folder that could not be looked into can be now."""
    folder = str(error.filename)
    try:
        if os.stat(folder).st_mode & 0o700 == 0o700:  # noqa: PTH116
            return False
        os.chmod(folder, 0o700)  # noqa: PTH101
    except OSError:
        return False
    return True


def _unlink_from_locked_folder(path: str) -> int | None:
    """Some packages bring folders without the write bit; they are the user's all the same."""
    try:
        os.chmod(os.path.dirname(path), 0o700)  # noqa: PTH101, PTH120
        stat = os.lstat(path)
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return None
    return stat.st_blocks * 512 if stat.st_nlink == 1 else 0
