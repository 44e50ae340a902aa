"""Revisions: the first one, those for what others changed, and what a record of one holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...times import iso, now
from ..marker import Marker, read_marker, write_marker
from ..names import package_name
from . import contents, differences, drift, going_back, transaction
from .layout import Damaged, History
from .tree import walk


def body(
    *,
    number: int,
    action: str,
    by: str,
    asked: Sequence[str],
    packages: Sequence[Mapping[str, Any]],
    conda: Iterable[Mapping[str, Any]],
    pip: Iterable[Mapping[str, Any]],
    specs: Sequence[str],
    pip_specs: Sequence[str],
    channels: Sequence[str],
    job: str = "",
    target: int | None = None,
    files: Mapping[str, Any] | None = None,
    created: str | None = None,
) -> dict[str, Any]:
    """``revision.json``: ``#/components/schemas/Revision``, and what is needed to have it again."""
    conda_list = sorted(conda, key=lambda entry: str(entry["name"]))
    pip_list = sorted(pip, key=lambda entry: str(entry["name"]))
    return {
        "version": 1,
        "number": number,
        "created": created or now(),
        "action": action,
        "by": by,
        "asked": list(asked),
        "target": target,
        "packages": list(packages),
        "files": dict(files or differences.no_files()),
        "package_count": len(conda_list) + len(pip_list),
        "conda": conda_list,
        "pip": pip_list,
        "specs": list(specs),
        "pip_specs": list(pip_specs),
        "channels": list(channels),
        "job": job,
    }


def newest(history: History, prefix: Path, marker: Marker) -> dict[str, Any]:
    """The newest revision's record; where there is none that can be read, the prefix as it is now
    becomes one.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    history.open(marker.job)
    number = history.current()
    if number is not None:
        try:
            return history.read_revision(number)
        except Damaged:
            return _found(history, prefix, marker, number + 1)
    return _found(history, prefix, marker, 1)


def _found(history: History, prefix: Path, marker: Marker, number: int) -> dict[str, Any]:
    tree = walk(prefix)
    now = contents.read(prefix)
    made = number == 1 and marker.action == "create"
    revision = body(
        number=number,
        action="create" if made else "adopt" if number == 1 and marker.action == "adopt" else "found",
        by=marker.by if number == 1 else "outside",
        asked=marker.specs if made else (),
        packages=differences.between({}, now.by_name(), {}, now.pip) if made else (),
        conda=now.conda.values(),
        pip=now.pip.values(),
        specs=marker.specs,
        pip_specs=marker.pip_specs,
        channels=marker.channels,
        created=marker.created if made else None,
    )
    transaction.record(history, revision, {"replaced": {}, "removed": {}, "added": [], "first": True}, tree)
    return revision


def look(history: History, prefix: Path, revision: Mapping[str, Any]) -> drift.Drift:
    """What was changed outside since that revision, the newest.

    Raises:
        OSError: the prefix cannot be read.
    """
    before = history.read_index()
    # Without it only the packages can be compared.
    return drift.inspect(prefix, before if before is not None else walk(prefix), revision)


def record_outside(
    history: History, prefix: Path, revision: Mapping[str, Any], found: drift.Drift
) -> dict[str, Any]:
    """Make what others changed a revision of its own.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    specs, pip_specs = _asked_outside(revision, found)
    outside = body(
        number=revision["number"] + 1,
        action="outside",
        by="outside",
        asked=(),
        packages=found.packages,
        files=found.files(),
        conda=found.contents.conda.values(),
        pip=found.contents.pip.values(),
        specs=specs,
        pip_specs=pip_specs,
        channels=revision["channels"],
        created=found.to_json()["changed"],
    )
    transaction.record(history, outside, found.delta(), found.tree)
    marker = read_marker(prefix)
    if marker is not None:
        write_marker(prefix, replace(marker, specs=specs, pip_specs=pip_specs))
    return outside


def _asked_outside(revision: Mapping[str, Any], found: drift.Drift) -> tuple[list[str], list[str]]:
    """What the user has asked for by now, all in all: others' wishes count too."""
    gone = {(c["manager"], c["name"]) for c in found.packages if c["change"] == "removed"}
    specs = [spec for spec in revision["specs"] if ("conda", package_name(spec)) not in gone]
    pip_specs = [spec for spec in revision["pip_specs"] if ("pip", package_name(spec)) not in gone]
    for change in found.packages:
        wanted = specs if change["manager"] == "conda" else pip_specs
        known = {package_name(spec) for spec in wanted}
        if change["change"] == "added" and change["requested"] and change["name"] not in known:
            wanted.append(change["name"])
    return specs, pip_specs


def shown(history: History) -> list[dict[str, Any]]:
    """All revisions, newest first: ``#/components/schemas/Revision`` without ``kept_bytes``."""
    current = history.current()
    found = []
    for number in reversed(history.numbers()):
        problem = going_back.how_restorable(history, number)
        try:
            record = history.read_revision(number)
        except Damaged:
            record = _unreadable(history, number)
        found.append(
            {name: record[name] for name in _SHOWN}
            | {
                "current": number == current,
                "restorable": problem is None,
                "problem": problem,
            }
        )
    return found


_SHOWN = ("number", "created", "action", "by", "asked", "target", "packages", "files", "package_count")


def _unreadable(history: History, number: int) -> dict[str, Any]:
    """What is shown of a revision whose record is damaged: when its folder was last written to, no more."""
    written = datetime.fromtimestamp(history.revision(number).stat().st_mtime, timezone.utc)
    return {
        "number": number,
        "created": iso(written),
        "action": "found",
        "by": "outside",
        "asked": [],
        "target": None,
        "packages": [],
        "files": differences.no_files(),
        "package_count": 0,
    }
