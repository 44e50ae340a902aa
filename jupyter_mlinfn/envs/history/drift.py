"""What was changed in an environment by others: a cell's ``%pip install``, conda in a terminal, an editor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...times import iso, now
from . import contents, differences
from .contents import CondaEntry, Contents, PipEntry
from .tree import Stat, Tree, sha256_of, walk


@dataclass
class Drift:
    """The difference between a prefix and its newest revision.

    Attributes:
        packages: as `differences.between`.
        modified, missing: files of packages that are otherwise unchanged, with their package.
        unowned: new files that belong to no package.
        lost: files of the revision whose content is not there any more, with its SHA-256 where known.
        added: files that came with packages.
        lost_conda, lost_pip: packages of the revision that the lost files belong to.
        newest: when the newest of the changed files was written, ns.
        tree: all files as they are now.
        contents: all packages as they are now.
    """

    tree: Tree
    contents: Contents
    packages: list[differences.PackageChange] = field(default_factory=list)
    modified: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unowned: list[str] = field(default_factory=list)
    lost: dict[str, str | None] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    lost_conda: dict[str, CondaEntry] = field(default_factory=dict)
    lost_pip: dict[str, PipEntry] = field(default_factory=dict)
    newest: int = 0

    @property
    def matters(self) -> bool:
        """Whether what packages brought has changed; files that belong to nobody do not count."""
        return bool(self.packages or self.modified or self.missing)

    def to_json(self) -> dict[str, Any]:
        """``#/components/schemas/Drift``."""
        return {
            "noticed": now(),
            "changed": iso(datetime.fromtimestamp(self.newest / 1e9, timezone.utc)) if self.newest else None,
            "packages": self.packages,
            "files": self.files(),
        }

    def files(self) -> dict[str, Any]:
        """``#/components/schemas/FileChanges``."""
        return differences.files(self.modified.items(), self.missing.items(), len(self.unowned))

    def delta(self) -> dict[str, Any]:
        """``delta.json`` of the revision that records it: how to go back, as far as that is kept."""
        return {
            "replaced": {},
            "removed": {},
            "added": sorted(self.added),
            "lost": self.lost,
            "lost_conda": self.lost_conda,
            "lost_pip": self.lost_pip,
        }


def inspect(prefix: Path, before: Tree, revision: Mapping[str, Any]) -> Drift:
    """Compare a prefix with its newest revision.

    Args:
        before: the files as that revision left them.
        revision: its record.

    Raises:
        OSError: the prefix cannot be read.
    """
    tree = walk(prefix)
    if tree == before:
        return Drift(tree, unchanged(prefix, revision))
    now = contents.read(prefix)
    carry_over(now, revision)
    drift = Drift(tree, now)
    conda_before: dict[str, CondaEntry] = {entry["name"]: entry for entry in revision["conda"]}
    pip_before: dict[str, PipEntry] = {entry["name"]: entry for entry in revision["pip"]}
    drift.packages = differences.between(conda_before, now.by_name(), pip_before, now.pip)
    changed = {(change["manager"], change["name"]) for change in drift.packages}
    drift.lost_conda = {
        name: conda_before[name] for manager, name in changed if name in conda_before and manager == "conda"
    }
    drift.lost_pip = {
        name: pip_before[name] for manager, name in changed if name in pip_before and manager == "pip"
    }
    owners = now.owners()
    for path, stat in before.items():
        present = tree.get(path)
        if present == stat:
            continue
        owner = owners.get(path)
        if present is not None and owner and owner.sha256 and (owner.manager, owner.package) not in changed:
            if sha256_of(prefix / path) == owner.sha256:
                continue  # only touched, or copied from a backup
        elif present is not None and owner and _only_moved(stat, present):
            continue
        drift.lost[path] = owner.sha256 if owner and (owner.manager, owner.package) not in changed else None
        if present:
            drift.newest = max(drift.newest, present[1])
        if owner is None or (owner.manager, owner.package) in changed:
            continue
        (drift.modified if present else drift.missing)[path] = owner.package
        if owner.manager == "conda" and owner.package in conda_before:
            drift.lost_conda[owner.package] = conda_before[owner.package]
        elif owner.package in pip_before:
            drift.lost_pip[owner.package] = pip_before[owner.package]
    for path, stat in tree.items():
        if path in before:
            continue
        owner = owners.get(path)
        if owner is None:
            drift.unowned.append(path)
        else:
            drift.added.append(path)
            drift.newest = max(drift.newest, stat[1])
    return drift


def _only_moved(before: Stat, now: Stat) -> bool:
    """Whether size and time are the same: a copy of the volume gives every file another inode."""
    return before[:2] == now[:2]


def unchanged(prefix: Path, revision: Mapping[str, Any]) -> Contents:
    """The packages as a revision has them: nothing has to be read for that."""
    return Contents(
        unread=prefix,
        conda={entry["file"]: entry for entry in revision["conda"]},
        pip={entry["name"]: entry for entry in revision["pip"]},
    )


def carry_over(now: Contents, revision: Mapping[str, Any]) -> None:
    """What a prefix does not say of its pip packages, from the revision that installed them."""
    known: dict[str, PipEntry] = {entry["name"]: entry for entry in revision["pip"]}
    for name, entry in now.pip.items():
        before = known.get(name)
        if before and (before["version"], before["record_sha256"]) == (
            entry["version"],
            entry["record_sha256"],
        ):
            now.pip[name] = before
