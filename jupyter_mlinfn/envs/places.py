"""Where environments live, how the user calls that place, and how much room it has.

All methods that look at the file system may block on a network volume: use them from a
thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import MlinfnError, NotAllowedError, NotFoundError

STATE_FOLDER = ".mlinfn"


@dataclass(frozen=True)
class Space:
    """What is left for this user on a volume; None where it does not say."""

    free_bytes: int | None
    free_files: int | None


@dataclass(frozen=True)
class Places:
    """The user's own folder of environments, and those that are shared.

    Args:
        environments: the user's own; need not exist yet.
        shared: folders with environments that are read only.
        root: folder that the user's JupyterLab shows, for `display`.
        anchor: folder that must exist before anything is made below it, so that a volume
            which is not mounted is noticed and not written beside.
    """

    environments: Path
    shared: Sequence[Path]
    root: Path
    anchor: Path

    @classmethod
    def find(cls, root: Path, private: str = "", shared: Sequence[str] = ()) -> Places:
        """The places by the rules of the user guide.

        Environments are in ``PRIVATE/environments``, where PRIVATE is `private` or
        ``ROOT/private`` if that exists; else in ``~/.conda/envs``, where conda looks too.
        """
        home = Path.home()
        base = Path(private).expanduser() if private else root / "private"
        if private and not base.is_absolute():
            base = root / base
        if private or base.is_dir():
            environments, anchor = base / "environments", base
        else:
            environments, anchor = home / ".conda" / "envs", home
        folders = [Path(folder).expanduser() for folder in shared]
        return cls(environments, folders, root, anchor)

    @property
    def state(self) -> Path:
        return self.environments / STATE_FOLDER

    @property
    def packages(self) -> Path:
        """The package cache: beside the environments, for hard links cross no volume."""
        return self.state / "pkgs"

    @property
    def repodata(self) -> Path:
        return self.state / "repodata"

    @property
    def jobs(self) -> Path:
        return self.state / "jobs"

    @property
    def trash(self) -> Path:
        return self.state / "trash"

    @property
    def wheels(self) -> Path:
        """The wheels that pip installed, kept for going back."""
        return self.state / "wheels"

    @property
    def histories(self) -> Path:
        return self.state / "history"

    def history(self, name: str) -> Path:
        """Where the revisions of the environment of that name are."""
        return self.histories / name

    def claim(self, job_id: str) -> Path:
        """Where a creation puts its marker before the prefix is its own."""
        return self.state / "claims" / job_id

    def prefix(self, name: str) -> Path:
        """The prefix of the user's own environment of that (checked) name."""
        return self.environments / name

    def display(self, path: Path) -> str:
        """The path as the user knows it: below the root without the root, else with ``~``."""
        for base, sign in ((self.root, ""), (Path.home(), "~/")):
            if path.is_relative_to(base) and path != base:
                return sign + path.relative_to(base).as_posix()
        return path.as_posix()

    def check_own(self, prefix: Path) -> None:
        """Make sure that a prefix is one of the user's own, directly in their folder.

        Raises:
            NotAllowedError: it is elsewhere, also through a symbolic link.
        """
        own = self.environments.resolve()
        if prefix.is_symlink() or prefix.resolve().parent != own or prefix.name == STATE_FOLDER:
            raise NotAllowedError(
                f"{self.display(prefix)} is not yours to change.",
                reason=f"Only environments in {self.display(self.environments)} can be changed here.",
            )

    def prepare(self) -> None:
        """Make the folder of environments.

        Raises:
            NotFoundError: the private storage is not there.
            NotAllowedError: it is read only.
        """
        problem = self.problem()
        if problem is not None:
            raise problem
        self.environments.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True, mode=0o700)
        # Now, for a disk may have no inode left when what was begun has to be moved out of sight.
        self.trash.mkdir(exist_ok=True, mode=0o700)

    def problem(self) -> MlinfnError | None:
        """Why nothing can be made here now, if so."""
        if not self.anchor.is_dir():
            return NotFoundError(
                f"Your private storage {self.display(self.anchor)} is not there.",
                reason="The volume may have been unmounted or may not answer.",
                hint="Try again in a minute; if it stays away, tell your administrator.",
            )
        nearest = next(path for path in (self.environments, *self.environments.parents) if path.is_dir())
        if not os.access(nearest, os.W_OK | os.X_OK):
            return NotAllowedError(
                f"{self.display(nearest)} is read only for you.",
                reason="Environments need a folder that you may write to.",
                hint="Ask your administrator for private storage that is writable.",
            )
        return None

    def space(self) -> Space:
        """What this user may still write where the environments are (statvfs(3), f_bavail and f_favail)."""
        nearest = next(
            (path for path in (self.environments, *self.environments.parents) if path.is_dir()), None
        )
        try:
            stat = os.statvfs(nearest) if nearest is not None else None
        except OSError:
            stat = None
        if stat is None:
            return Space(None, None)
        # A volume without a fixed number of inodes (btrfs, many NFS servers) reports 0 of 0.
        return Space(stat.f_bavail * stat.f_frsize, stat.f_favail if stat.f_files else None)
