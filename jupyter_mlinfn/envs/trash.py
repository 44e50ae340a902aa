"""Removing an environment in two steps: out of sight at once, off the disk after that.

A rename is atomic; a removal of ten thousand files is not, and on NFS a file that some
process still has open comes back as ``.nfsXXXX`` and keeps its folder from being removed
until that process ends (https://nfs.sourceforge.net/#faq_d2). What is left is cleared by a
later sweep. Everything here blocks: use it from a thread.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import MlinfnError, NotAllowedError, NotFoundError


@dataclass(frozen=True)
class Cleared:
    """What a sweep did."""

    freed_bytes: int
    """Blocks of files whose last link went; hard links elsewhere, e.g. in the cache, free nothing."""
    left_files: int
    """Files that could not be removed yet."""


class Trash:
    """A folder on the same volume as what is thrown away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def throw_away(self, path: Path) -> Path:
        """Move `path` into the trash, atomically, and tell where it is now.

        Raises:
            NotFoundError: it is gone already.
            MlinfnError: it cannot be moved.
        """
        target = self._folder / f"{path.name}-{uuid.uuid4().hex[:8]}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        freed = left = 0
        for folder, folders, files in os.walk(target, topdown=False):
            for name in files + [f for f in folders if os.path.islink(os.path.join(folder, f))]:  # noqa: PTH114, PTH118
                blocks = _unlink(os.path.join(folder, name))  # noqa: PTH118
                if blocks is None:
                    left += 1
                else:
                    freed += blocks
            with suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106
        return Cleared(freed, left)

    def sweep(self) -> Cleared:
        """Remove everything that was thrown away."""
        try:
            targets = list(self._folder.iterdir())
        except OSError:
            return Cleared(0, 0)
        cleared = [self.clear(target) for target in targets]
        return Cleared(sum(c.freed_bytes for c in cleared), sum(c.left_files for c in cleared))


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


def _unlink_from_locked_folder(path: str) -> int | None:
    """Some packages bring folders without the write bit; they are the user's all the same."""
    try:
        os.chmod(os.path.dirname(path), 0o700)  # noqa: PTH101, PTH120
        stat = os.lstat(path)
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return None
    return stat.st_blocks * 512 if stat.st_nlink == 1 else 0
