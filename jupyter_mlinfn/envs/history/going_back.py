"""From the deltas of later revisions to the files of an earlier one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .contents import META, CondaEntry, PipEntry, safe
from .layout import Damaged, History
from .tree import sha256_of, stat_of


@dataclass
class Way:
    """How to get from the newest revision to an earlier one.

    Attributes:
        kept: relative path → the file that has its content, in some delta.
        gone: paths that the earlier revision did not have.
        lost: paths whose content nobody kept, with its SHA-256 where that is known: they were
            changed outside, or the kept file was.
        conda, pip: the packages, by name, that can bring the lost files back.
    """

    kept: dict[str, Path] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    lost: dict[str, str | None] = field(default_factory=dict)
    conda: dict[str, CondaEntry] = field(default_factory=dict)
    pip: dict[str, PipEntry] = field(default_factory=dict)


def find(
    history: History,
    target: Mapping[str, Any],
    prefix: Path,
    unrecorded: Mapping[str, Any] | None = None,
) -> Way:
    """The way back to the revision `target` (its record).

    Args:
        unrecorded: the delta of what was changed outside and is no revision yet.

    Raises:
        Damaged: a delta on the way is missing or is not what was written.
    """
    way = Way()
    stats: dict[str, tuple[int, int]] = {}
    current = history.current() or 0
    deltas = [(current + 1, unrecorded)] if unrecorded is not None else []
    deltas += [(number, history.read_delta(number)) for number in range(current, target["number"], -1)]
    for number, delta in deltas:
        for path in delta["added"]:
            _forget(way, path)
            way.gone.add(path)
        for path, (kept, size, mtime, *_) in {**delta["replaced"], **delta["removed"]}.items():
            _forget(way, path)
            way.kept[path] = history.revision(number) / "old" / str(kept)
            stats[path] = (size, mtime)
        for path, sha256 in delta.get("lost", {}).items():
            _forget(way, path)
            way.lost[path] = sha256
        way.conda |= delta.get("lost_conda", {})
        way.pip |= delta.get("lost_pip", {})
    for path in [path for path, file in way.kept.items() if _same(prefix / path, file)]:
        del way.kept[path]
    tampered = [path for path, file in way.kept.items() if (stat_of(file) or ())[:2] != stats[path]]
    if tampered:
        _give_up(way, tampered, target, prefix)
    wanted_conda = {entry["name"]: entry for entry in target["conda"]}
    wanted_pip = {entry["name"]: entry for entry in target["pip"]}
    # What the earlier revision has, which may be another version than the one that was lost later.
    way.conda = {name: wanted_conda[name] for name in way.conda if name in wanted_conda}
    way.pip = {name: wanted_pip[name] for name in way.pip if name in wanted_pip}
    return way


def _same(present: Path, kept: Path) -> bool:
    """Whether the prefix has the file already."""
    now, then = stat_of(present), stat_of(kept)
    if now is None or then is None or now[0] != then[0]:
        return False
    return now[2] == then[2] or (not present.is_symlink() and sha256_of(present) == sha256_of(kept))


def _forget(way: Way, path: str) -> None:
    way.kept.pop(path, None)
    way.gone.discard(path)
    way.lost.pop(path, None)


def _give_up(way: Way, tampered: Iterable[str], target: Mapping[str, Any], prefix: Path) -> None:
    """A kept file is a hard link: edited in place somewhere, it is lost here as well."""
    owners = _owners(way, target["conda"], prefix)
    for path in tampered:
        del way.kept[path]
        entry, sha256 = owners.get(path, (None, None))
        way.lost[path] = sha256
        if entry is not None:
            way.conda[entry["name"]] = entry
    way.pip |= {entry["name"]: entry for entry in target["pip"]}


def _owners(
    way: Way, packages: Iterable[CondaEntry], prefix: Path
) -> dict[str, tuple[CondaEntry, str | None]]:
    """Whose the files of the earlier revision were, by its conda records."""
    found: dict[str, tuple[CondaEntry, str | None]] = {}
    for entry in packages:
        name = META + entry["file"]
        record = way.kept.get(name, prefix / name)
        found[name] = (entry, None)
        try:
            paths = json.loads(record.read_bytes())["paths_data"]["paths"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for each in paths:
            path = safe(each["_path"])
            if path is not None:
                found[path] = (entry, each.get("sha256_in_prefix") or each.get("sha256"))
    return found


def link_kept(way: Way, staging: Path) -> None:
    """Put the kept files into a staging folder, at their place.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    made: set[str] = set()
    for path, file in way.kept.items():
        folder = os.fspath((staging / path).parent)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - thousands
            made.add(folder)
        os.link(file, staging / path, follow_symlinks=False)


def how_restorable(history: History, number: int) -> str | None:
    """Why one cannot go back to a revision; None where one can.

    Looks at the records only; what has to be loaded again is found out by trying.
    """
    try:
        history.read_revision(number)
    except Damaged as error:
        return str(error)
    current = history.current() or 0
    for later in range(number + 1, current + 1):
        if not (history.revision(later) / "delta.json").exists():
            return "What is needed to go back to it was cleaned up to free space."
    return None
