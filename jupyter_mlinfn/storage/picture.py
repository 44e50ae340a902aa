"""What lasts here, as a whole: the table of mounts and the configuration put together. Pure."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence

from .folders import Folders
from .models import Mount, Place, Private, Verdict, Volume
from .mounts import MountTable
from .rules import Rules, is_kept_by_runtime, is_pseudo
from .walk import Plan, within

TEMPORARY = "/tmp"  # noqa: S108 - it is only told of

_MOST_VOLUMES = 40

_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var"),
)
"""Not the user's where JupyterLab shows the whole machine (FHS 3.0, chapter 3)."""


class Picture:
    """Answers for one moment; paths are absolute and resolved."""

    def __init__(self, table: MountTable, folders: Folders) -> None:
        self._table = table
        self._rules = Rules(table)
        self.folders = folders
        self._said = {
            **dict.fromkeys(folders.persistent, True),
            **dict.fromkeys(folders.ephemeral, False),
        }

    def verdict(self, path: str) -> Verdict:
        """Whether files at a path last: what is configured goes before the table, unless something
        is mounted in between of which the table is certain."""
        of_table = self._rules.of(path)
        mount = self._table.of(path)
        said = max((folder for folder in self._said if within(path, folder)), key=len, default=None)
        if said is not None and not (_is_below(mount, said) and of_table.persistence != "unknown"):
            if self._said[said]:
                return Verdict("lasts", f"Your administrator says that {said} lasts.")
            return Verdict("ephemeral", f"Your administrator says that {said} does not last.")
        private = self.folders.private
        if private is None or not within(path, private) or _is_below(mount, private):
            return of_table
        if of_table.persistence == "ephemeral":
            return Verdict("ephemeral", f"It is your private folder, but it does not last. {of_table.why}")
        if of_table.persistence == "unknown" and self.folders.said_to_last:
            return Verdict("lasts", "Your administrator says that it is the folder that lasts.")
        return of_table

    def read_only(self, path: str) -> bool:
        """Whether it is mounted so; permissions are another matter."""
        mount = self._table.of(path)
        return mount is not None and mount.read_only

    def fs_type(self, path: str) -> str:
        """As the kernel calls it; empty where that is not known."""
        mount = self._table.of(path)
        return mount.fs_type if mount is not None else ""

    def mount(self, path: str) -> Mount | None:
        return self._table.of(path)

    def private(self) -> tuple[Private | None, str]:
        """The folder to rescue to, or None and why there is none, a sentence."""
        folder = self.folders.private
        if folder is None:
            return None, "You have no private folder here."
        verdict = self.verdict(folder)
        if verdict.persistence == "ephemeral":
            return None, verdict.why
        if self.read_only(folder):
            return None, "Your private folder is read only."
        return Private(folder, self.root_path(folder)), ""

    def root_path(self, path: str) -> str | None:
        """The path as JupyterLab names it; None where it shows it not."""
        for folder, shown in ((self.folders.root, ""), *self.folders.shown.items()):
            if within(path, folder):
                return (shown + "/" + path[len(folder.rstrip("/")) :].lstrip("/")).strip("/")
        return None

    def uncertain(self, plan: Plan) -> list[str]:
        """Those of the regions of which it is not known whether they last, as the user knows them."""
        return [self.name(each) for each in plan.regions if self.verdict(each).persistence == "unknown"]

    def name(self, path: str) -> str:
        """The path as the user knows it."""
        if path == self.folders.home:
            return "~"
        shown = self.root_path(path)
        if shown is not None:
            return shown or os.path.basename(path) or path  # noqa: PTH119 - a str, as all here
        home = self.folders.home
        return "~" + path[len(home) :] if within(path, home) and home != "/" else path

    def volumes(self) -> list[Volume]:
        """Those that matter to the user: one for each folder that has a name here, and for each of the
        mounts below the root and the home; what is like the folder around it comes once."""
        folders = self.folders
        named = [folders.root, *([folders.private] if folders.private else []), *folders.shared]
        by_itself = [folders.home, folders.environments, *self._mounts_below(), TEMPORARY]
        told: dict[str, Volume] = {path: self._volume(path) for path in named}
        for path in by_itself:
            if path not in told and self._differs(path, told):
                told[path] = self._volume(path)
        return list(told.values())[:_MOST_VOLUMES]

    def place(self, path: str, shown: str) -> Place:
        """What a path lies on.

        Args:
            shown: as JupyterLab named it.
        """
        volumes = {volume.path: volume.name for volume in self.volumes()}
        nearest = max((each for each in volumes if within(path, each)), key=len, default=None)
        name = volumes[nearest] if nearest is not None else None
        return Place(shown, self.verdict(path), name, self.private()[0])

    def plan(self, since: float | None, ignored: Sequence[str] = ()) -> Plan:
        """What a walk through the files that would be lost has to look through.

        Args:
            since, ignored: see `Plan`.
        """
        # A user without a home has that of the machine, which is none.
        homes = [self.folders.home] if self.folders.home != "/" else []
        bases = list(dict.fromkeys((self.folders.root, *homes)))
        outer = [base for base in bases if not any(within(base, other) for other in bases if other != base)]
        borders = list(dict.fromkeys(each for base in outer for each in self._borders(base)))
        regions = [each for each in (*outer, *borders) if self._would_be_lost(each)]
        system = _SYSTEM if "/" in outer else ()
        return Plan(bases, regions, borders, since, [*ignored], [*self.folders.ignored, *system])

    def _would_be_lost(self, path: str) -> bool:
        mount = self._table.of(path)
        if mount is not None and (mount.read_only or is_pseudo(mount) or is_kept_by_runtime(mount)):
            return False
        verdict = self.verdict(path)
        if verdict.persistence == "unknown":
            # Files are kept in private because there is nothing better; what is shared is no part of this
            # server's container, and others' work.
            kept = [each for each in (self.folders.private, *self.folders.shared) if each is not None]
            return not any(within(path, each) for each in kept)
        return verdict.persistence == "ephemeral"

    def _borders(self, base: str) -> Iterator[str]:
        """Where something else begins."""
        points = [mount.point for mount in self._table.visible()]
        private = [self.folders.private] if self.folders.private else []
        for path in (*points, *self._said, *private):
            if path != base and within(path, base):
                yield path

    def _mounts_below(self) -> Iterator[str]:
        folders = self.folders
        for mount in self._table.visible():
            if is_pseudo(mount) or is_kept_by_runtime(mount):
                continue
            shown = any(within(mount.point, each) for each in (folders.root, *folders.shared))
            at_home = within(mount.point, folders.home) and not mount.read_only
            if mount.point != "/" and (shown or at_home):
                yield mount.point

    def _differs(self, path: str, told: dict[str, Volume]) -> bool:
        """From the nearest folder around it that is told of; the home also from the root in it."""
        around = max((each for each in told if within(path, each)), key=len, default=None)
        if around is None and path == self.folders.home and within(self.folders.root, path):
            around = self.folders.root
        if around is None:
            return True
        alike = self._table.of(path) is self._table.of(around)
        return not alike or self.verdict(path).persistence != told[around].verdict.persistence

    def _volume(self, path: str) -> Volume:
        return Volume(
            self.name(path),
            path,
            self.root_path(path),
            self.verdict(path),
            self.read_only(path),
            self.fs_type(path),
        )


def _is_below(mount: Mount | None, folder: str) -> bool:
    return mount is not None and mount.point != folder and within(mount.point, folder)
