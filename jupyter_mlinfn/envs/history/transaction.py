"""Putting a staged change into a prefix so that it is the old one or the new one, never between.

A change has a folder of its own on the volume of the prefix::

    change-ID/new/          the files that come, at their place relative to the prefix
    change-ID/rev/          the revision that it will be: revision.json, delta.json, index.json,
                            and old/N, hard links to the files that it replaces or removes
    change-ID/journal.json  from here on it will be done, whoever does it

Until the journal is there nothing of the prefix was touched, and the folder is thrown away. After
that, whoever finds the folder finishes it: what is left to do are renames, which need no space. Every
one of them has an end in the change's folder. Who takes a change over renames that folder first; its
former writer, should it only have been frozen, then finds nothing to rename and stops: a fence, as in
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html.

Renaming is atomic (rename(2)), and so each file is the old or the new one at any time.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import ConflictError, MlinfnError
from ...files import sync_folder
from ..marker import read_marker, sweep_marker, write_marker
from .layout import History, write_json, write_parts
from .tree import Tree, is_told, parents, stat_of

LOG = "conda-meta/history"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS)


class WriterReplaced(ConflictError):
    """Another server has taken this change over: this one must not go on."""

    def __init__(self) -> None:
        super().__init__(
            "Another of your servers took this change over.",
            reason="This one had not been heard of for too long.",
            hint="Look at the environment's revisions: the other one finishes the change or discards it.",
        )


class Transaction:
    """One change of one prefix.

    Args:
        folder: ``change-ID``.
    """

    def __init__(self, history: History, prefix: Path, folder: Path) -> None:
        self.history = history
        self.prefix = prefix
        self.folder = folder
        self.staging = folder / "new"
        self._rev = folder / "rev"
        self._journal = folder / "journal.json"
        self._made = folder / "folders.json"
        self._real = os.path.realpath(prefix)
        self._inside: dict[str, bool] = {}

    @classmethod
    def begin(cls, history: History, prefix: Path, change_id: str) -> Transaction:
        """A new one; of an earlier attempt nothing may be left (`recover` sees to that).

        Raises:
            OSError: the storage is gone, full or read-only.
        """
        transaction = cls(history, prefix, history.change(change_id))
        transaction.folder.mkdir()
        transaction.staging.mkdir()
        return transaction

    def staged(self) -> list[str]:
        """The relative paths of all files in the staging folder."""
        found = []
        root = os.fspath(self.staging)
        for folder, folders, files in os.walk(root):
            below = folder[len(root) + 1 :] + "/" if folder != root else ""
            links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114
            found += [below + name for name in (*files, *links)]
        return found

    def prepare(
        self,
        put: Iterable[str],
        remove: Collection[str],
        tree: Tree,
        revision: Mapping[str, Any],
        marker: Mapping[str, Any],
    ) -> None:
        """Get everything ready that can fail, without touching a file of the prefix.

        Args:
            put: paths in the staging folder that are to be put into the prefix.
            remove: paths in the prefix that are to go.
            tree: the files of the prefix as they are now.
            revision: its record, with the ``number`` that it will have.
            marker: fields of the environment's marker that change with it.

        Raises:
            ConflictError: something that is no package's is in the way.
            OSError: the storage is gone, full or read-only.
        """
        coming = list(put)
        for path in coming:
            if not self._is_inside(path):
                raise ConflictError(
                    f"{path} would be written outside of the environment.",
                    reason="A folder on the way is a symbolic link that leads out of it.",
                    hint="Replace that link by a folder, and try again.",
                )
        arriving = set(coming)
        going = [path for path in remove if path not in arriving and self._is_inside(path)]
        old = self._rev / "old"
        self._rev.mkdir()
        old.mkdir()
        delta: dict[str, Any] = {"replaced": {}, "removed": {}, "added": []}
        removals: list[tuple[str, int]] = []
        count = 0
        for path in coming:
            if path == LOG:
                continue
            kept = self._keep(path, old / str(count))
            if kept is None:
                delta["added"].append(path)
            else:
                delta["replaced"][path] = [count, *kept]
                count += 1
        for path in going:
            kept = self._keep(path, old / str(count))
            if kept is not None:
                delta["removed"][path] = [count, *kept]
                removals.append((path, kept[2]))
                count += 1
        folders = self._make_folders(coming, {path for path, _ in removals})
        index = dict(tree)
        for path in going:
            index.pop(path, None)
        for path in coming:
            if is_told(path) and (stat := stat_of(self.staging / path)) is not None:
                index[path] = stat
        write_parts(self._rev, revision, delta, index)
        for folder in (old, self._rev, self.folder):
            sync_folder(folder)
        _sync_volume(self.folder)
        write_json(
            self._journal,
            {
                "version": 1,
                "number": revision["number"],
                "put": coming,
                "remove": removals,
                "folders": folders,
                "marker": dict(marker),
            },
        )

    def apply(self) -> None:
        """Do what was prepared, or what is left of it, and make it the newest revision.

        Raises:
            WriterReplaced: another server took it over.
            OSError: it cannot be done; the prefix is as it was before.
        """
        journal = json.loads(self._journal.read_bytes())
        if self._rev.exists():
            try:
                self._forward(journal)
            except OSError:
                self._back()
                raise
            # The moment from which on the environment is the new one.
            self._rename(self._rev, self.history.revision(journal["number"]))
            sync_folder(self.history.revisions)
        self._finish(journal)

    def discard(self) -> None:
        """Throw away what was staged; for a change that has no journal."""
        try:
            made = json.loads(self._made.read_bytes())["folders"]
        except (OSError, ValueError, KeyError):
            made = []
        for folder in reversed(made):
            with suppress(OSError):  # somebody has put something into it
                (self.prefix / folder).rmdir()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, path: str, target: Path) -> tuple[int, int, int] | None:
        """Link the present file to `target`, and tell its stat; None where there is none."""
        source = self.prefix / path
        stat = stat_of(source)
        if stat is None:
            return None
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copy2(source, target, follow_symlinks=False)
        return stat

    def _make_folders(self, coming: Iterable[str], going: Collection[str]) -> list[str]:
        """The folders that the coming files need, made where that is possible yet."""
        needed = sorted(parents(coming))
        for path in coming:
            if (self.prefix / path).is_dir() and not (self.prefix / path).is_symlink():
                self._check_emptied(path, going)
        made = [
            folder
            for folder in needed
            if folder not in going
            and not any(parent in going for parent in parents([folder]))
            and not (self.prefix / folder).is_dir()
        ]
        # Told first: an empty ``x.dist-info`` that a killed change left would be a package to Python.
        write_json(self._made, {"folders": made})
        for folder in made:
            try:
                (self.prefix / folder).mkdir(exist_ok=True)
            except FileExistsError as error:
                raise _in_the_way(folder) from error
        return needed

    def _check_emptied(self, folder: str, going: Collection[str]) -> None:
        for inside, _, files in os.walk(self.prefix / folder):
            for name in files:
                path = os.path.relpath(os.path.join(inside, name), self.prefix)  # noqa: PTH118
                if path not in going and not path.endswith(".pyc"):
                    raise _in_the_way(folder)

    def _is_inside(self, path: str) -> bool:
        """Whether the path leads, through no link, out of the prefix."""
        folder = path.rpartition("/")[0]
        known = self._inside.get(folder)
        if known is None:
            real = os.path.realpath(os.path.join(self._real, folder))  # noqa: PTH118
            known = self._inside[folder] = real == self._real or real.startswith(self._real + "/")
        return known

    def _forward(self, journal: Mapping[str, Any]) -> None:
        prefix = os.fspath(self.prefix)
        for path, inode in journal["remove"]:
            stat = stat_of(f"{prefix}/{path}")
            if stat is not None and stat[2] == inode:  # else it is somebody else's by now
                self._rename(f"{prefix}/{path}", self.folder / "gone")
                # Of two links to one file, renaming one onto the other does nothing (rename(2)).
                with suppress(FileNotFoundError):
                    if stat_of(f"{prefix}/{path}") == stat:
                        os.unlink(f"{prefix}/{path}")  # noqa: PTH108
        removed = [path for path, _ in journal["remove"]]
        self._drop_bytecode([*removed, *journal["put"]], set(journal["put"]))
        self._drop_empty(removed, set(journal["folders"]))
        for folder in journal["folders"]:
            (self.prefix / folder).mkdir(exist_ok=True)
        for path in journal["put"]:
            try:
                os.rename(self.staging / path, f"{prefix}/{path}")  # noqa: PTH104
            except FileNotFoundError:
                self._check_mine()
                if stat_of(f"{prefix}/{path}") is None:
                    raise

    def _rename(self, source: str | Path, target: Path) -> None:
        try:
            os.rename(source, target)  # noqa: PTH104
        except FileNotFoundError:
            self._check_mine()
            raise

    def _check_mine(self) -> None:
        """Make sure that nobody took the change's folder away.

        Raises:
            WriterReplaced: somebody did.
        """
        if not self._journal.exists():
            raise WriterReplaced

    def _drop_bytecode(self, sources: Iterable[str], keep: Collection[str]) -> None:
        """Remove what Python compiled from sources that go or change: packages have the same times
        and sizes in two versions, and stale byte code would be taken for theirs."""
        by_folder: dict[str, set[str]] = {}
        for path in sources:
            if path.endswith(".py"):
                folder, _, name = path.rpartition("/")
                by_folder.setdefault(f"{folder}/__pycache__" if folder else "__pycache__", set()).add(
                    name[:-3]
                )
        for folder, modules in by_folder.items():
            try:
                names = [entry.name for entry in (self.prefix / folder).iterdir()]
            except OSError:
                continue
            for name in names:
                if name.split(".")[0] in modules and f"{folder}/{name}" not in keep:
                    with suppress(FileNotFoundError):
                        os.unlink(self.prefix / folder / name)  # noqa: PTH108

    def _drop_empty(self, removed: Iterable[str], needed: Collection[str]) -> None:
        for folder in sorted(parents(removed), key=len, reverse=True):
            if folder in needed:
                continue
            for emptied in (self.prefix / folder / "__pycache__", self.prefix / folder):
                with suppress(OSError):
                    emptied.rmdir()

    def _back(self) -> None:
        """Undo what was done of `_forward`; where even that fails, the next look goes forward again."""
        self._check_mine()
        delta = json.loads((self._rev / "delta.json").read_bytes())
        for path, (number, *_) in {**delta["replaced"], **delta["removed"]}.items():
            kept, place = self._rev / "old" / str(number), self.prefix / path
            present, wanted = stat_of(place), stat_of(kept)
            if wanted is None or (present is not None and present[2] == wanted[2]):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            back = self.folder / "back"
            with suppress(FileNotFoundError):
                back.unlink()
            os.link(kept, back, follow_symlinks=False)
            self._rename(back, place)
        for path in delta["added"]:
            if not os.path.lexists(self.staging / path):
                with suppress(FileNotFoundError):
                    (self.prefix / path).unlink()
        self._drop_empty(delta["added"], ())
        # The journal first: without it this is a change that never happened.
        self._journal.unlink()
        self.discard()

    def _finish(self, journal: Mapping[str, Any]) -> None:
        marker = read_marker(self.prefix)
        if marker is not None:
            write_marker(self.prefix, replace(marker, **journal["marker"]))
        self.history.forget_older_indexes()
        # The journal last: as long as it is there, the marker may have to be written again.
        shutil.rmtree(self.staging, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def recover(history: History, prefix: Path) -> list[dict[str, str]]:
    """Finish or discard the changes that somebody left half done. Only for who holds the lease.

    Returns:
        ``{"change": id, "outcome": "finished" | "discarded"}`` of each.
    Raises:
        OSError: one cannot be finished now; the prefix is as it was before it.
    """
    outcomes = []
    for left in sorted(history.changes()):
        change_id = left.name.removeprefix("change-").split("~")[0]
        taken = left.with_name(f"change-{change_id}~{uuid.uuid4().hex[:8]}")
        left.rename(taken)
        transaction = Transaction(history, prefix, taken)
        if (taken / "journal.json").exists():
            transaction.apply()
            outcomes.append({"change": change_id, "outcome": "finished"})
        else:
            transaction.discard()
            outcomes.append({"change": change_id, "outcome": "discarded"})
    sweep_marker(prefix)
    return outcomes


def record(history: History, revision: Mapping[str, Any], delta: Mapping[str, Any], index: Tree) -> None:
    """Add a revision for what is so already: the first one, or what was changed outside.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    made = history.folder / f"record-{uuid.uuid4().hex}"
    try:
        (made / "old").mkdir(parents=True)
        write_parts(made, revision, delta, index)
        made.rename(history.revision(revision["number"]))
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync_folder(history.revisions)
    history.forget_older_indexes()


def _in_the_way(path: str) -> MlinfnError:
    return ConflictError(
        f"{path} in the environment is in the way.",
        reason="A file or folder that belongs to no package is where one of a package has to be.",
        hint="Move it out of the environment, and try again.",
    )


def _sync_volume(folder: Path) -> None:
    """Write out what the volume of `folder` holds in memory (syncfs(2)): the package manager does not,
    and a power cut after the journal must not leave empty files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ctypes.CDLL(None, use_errno=True).syncfs(descriptor)
    finally:
        os.close(descriptor)
