"""What is different between two sets of packages, in the words of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from packaging.version import InvalidVersion
from packaging.version import Version as PipVersion

from .contents import CondaEntry, PipEntry, same_record

Change = Literal["added", "newer", "older", "rebuilt", "removed"]


class PackageChange(TypedDict):
    """``#/components/schemas/PackageChange``."""

    name: str
    manager: Literal["conda", "pip"]
    change: Change
    from_version: str | None
    to_version: str | None
    from_build: str | None
    to_build: str | None
    size: int | None
    cached: bool
    requested: bool


def between(
    conda_before: Mapping[str, CondaEntry],
    conda_after: Mapping[str, CondaEntry],
    pip_before: Mapping[str, PipEntry],
    pip_after: Mapping[str, PipEntry],
) -> list[PackageChange]:
    """The changes from one set of packages (by name) to another, sorted by name."""
    changes = []
    for name in conda_before.keys() | conda_after.keys():
        old, new = conda_before.get(name), conda_after.get(name)
        if old is None or new is None or not same_record(old, new):
            changes.append(_conda(name, old, new))
    for name in pip_before.keys() | pip_after.keys():
        was, now = pip_before.get(name), pip_after.get(name)
        if (
            was is None
            or now is None
            or (was["version"], was["record_sha256"]) != (now["version"], now["record_sha256"])
        ):
            changes.append(_pip(name, was, now))
    return sorted(changes, key=lambda change: (change["name"], change["manager"]))


def _conda(name: str, old: CondaEntry | None, new: CondaEntry | None) -> PackageChange:
    there = new or old
    return PackageChange(
        name=name,
        manager="conda",
        change=kind(old and old["version"], new and new["version"], conda_order),
        from_version=old and old["version"],
        to_version=new and new["version"],
        from_build=old and old["build"],
        to_build=new and new["build"],
        size=there["size"] if there else None,
        cached=True,
        requested=bool(there and there["requested"]),
    )


def _pip(name: str, old: PipEntry | None, new: PipEntry | None) -> PackageChange:
    there = new or old
    return PackageChange(
        name=name,
        manager="pip",
        change=kind(old and old["version"], new and new["version"], pip_order),
        from_version=old and old["version"],
        to_version=new and new["version"],
        from_build=None,
        to_build=None,
        size=None,
        cached=True,
        requested=bool(there and there["requested"]),
    )


def kind(old: str | None, new: str | None, order: Any) -> Change:
    """The change from one version to another; `order` compares two (see `conda_order`)."""
    if old is None:
        return "added"
    if new is None:
        return "removed"
    compared = order(old, new)
    return "newer" if compared < 0 else "older" if compared > 0 else "rebuilt"


def conda_order(a: str, b: str) -> int:
    """-1, 0, 1 as conda orders versions."""
    # Not at the top: 20 ms that the server's start need not pay for.
    from rattler import Version as CondaVersion
    from rattler.exceptions import InvalidVersionError

    try:
        first, second = CondaVersion(a), CondaVersion(b)
    except InvalidVersionError:
        return (a > b) - (a < b)
    return (first > second) - (first < second)


def pip_order(a: str, b: str) -> int:
    """-1, 0, 1 as PEP 440 orders versions."""
    try:
        first, second = PipVersion(a), PipVersion(b)
    except InvalidVersion:
        return (a > b) - (a < b)
    return (first > second) - (first < second)


def no_files() -> dict[str, Any]:
    """``#/components/schemas/FileChanges`` of nothing."""
    return files((), (), 0)


def files(
    modified: Iterable[tuple[str, str]], missing: Iterable[tuple[str, str]], unowned: int
) -> dict[str, Any]:
    """``#/components/schemas/FileChanges``; pairs of path and package."""
    changed, gone = sorted(modified), sorted(missing)
    return {
        "modified": [{"path": path, "package": package} for path, package in changed[:_NAMED]],
        "missing": [{"path": path, "package": package} for path, package in gone[:_NAMED]],
        "modified_count": len(changed),
        "missing_count": len(gone),
        "unowned": unowned,
    }


_NAMED = 100
