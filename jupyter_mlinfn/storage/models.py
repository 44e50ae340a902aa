"""What the room `storage` speaks of. Sizes are bytes, times seconds since the epoch; None is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Persistence = Literal["lasts", "ephemeral", "unknown"]
CountState = Literal["unknown", "counting", "known", "failed"]


@dataclass(frozen=True)
class Mount:
    """One line of ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5)).

    Attributes:
        device: major:minor.
        root: which folder of the file system is mounted.
        point: where, an absolute path.
        options: of this mount.
        fs_type: with its subtype, ``fuse.sshfs``.
        super_options: of the file system as a whole.
    """

    mount_id: int
    parent_id: int
    device: str
    root: str
    point: str
    options: frozenset[str]
    fs_type: str
    source: str
    super_options: frozenset[str]

    @property
    def read_only(self) -> bool:
        return "ro" in self.options or "ro" in self.super_options


@dataclass(frozen=True)
class Verdict:
    """Whether what is written there is there at the next start, and a sentence why."""

    persistence: Persistence
    why: str


@dataclass(frozen=True)
class Quota:
    """The user's limits on a volume and what counts against them."""

    limit_bytes: int | None = None
    used_bytes: int | None = None
    limit_files: int | None = None
    used_files: int | None = None


@dataclass(frozen=True)
class Usage:
    """What a file system says of its room: statvfs(3), free as it is for users."""

    size_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    files: int | None = None
    files_used: int | None = None
    files_free: int | None = None
    quota: Quota | None = None
    silent: bool = False


@dataclass(frozen=True)
class Volume:
    """A folder that matters to the user, and what it lies on.

    Attributes:
        name: as the user knows it: ``private``, ``shared/cms``, ``/tmp``.
        root_path: below what JupyterLab shows; empty for that itself, None for outside of it.
    """

    name: str
    path: str
    root_path: str | None
    verdict: Verdict
    read_only: bool
    fs_type: str


@dataclass(frozen=True)
class EphemeralFile:
    """A file that would be lost; `root_path` as in `Volume`."""

    path: str
    size: int
    modified: float
    root_path: str | None


@dataclass(frozen=True)
class FolderTotal:
    """What would be lost below a folder."""

    path: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Ephemeral:
    """The files that would be lost, as far as they are counted.

    Attributes:
        reason: why it is not known or not whole, a sentence; empty where there is nothing to say.
        counted: when the count ended; None before.
        biggest: the hundred biggest, biggest first.
        more: files that are not among `biggest`.
        folders: the top-level folders that have most bytes.
        ignored: what was left out by rule: a folder counts as one.
    """

    state: CountState = "unknown"
    reason: str = ""
    counted: float | None = None
    files: int = 0
    bytes: int = 0
    biggest: Sequence[EphemeralFile] = ()
    more: int = 0
    folders: Sequence[FolderTotal] = ()
    ignored: int = 0


@dataclass(frozen=True)
class Listing:
    """What would be lost directly in a folder, and below its subfolders."""

    folder: str
    files: Sequence[EphemeralFile]
    folders: Sequence[FolderTotal]
    more: int


@dataclass(frozen=True)
class Private:
    """The user's folder that lasts, where things are moved or rescued to; `root_path` as in `Volume`."""

    path: str
    root_path: str | None


@dataclass(frozen=True)
class Place:
    """What a path of JupyterLab lies on.

    Attributes:
        volume: name of the volume; None where nothing is known of it.
    """

    path: str
    verdict: Verdict
    volume: str | None
    private: Private | None
