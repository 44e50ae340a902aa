"""What the room knows as openapi.yaml describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..times import iso_of
from .models import Ephemeral, EphemeralFile, FolderTotal, Listing, Place, Private, Quota, Usage, Volume

RootPath = Callable[[str], str | None]


def volume(each: Volume, usage: Usage) -> dict[str, Any]:
    """`#/components/schemas/StorageVolume`."""
    return {
        "name": each.name,
        "path": each.path,
        "root_path": each.root_path,
        "persistence": each.verdict.persistence,
        "read_only": each.read_only,
        "why": each.verdict.why,
        "type": each.fs_type,
        "state": "silent" if usage.silent else "ok",
        "size_bytes": usage.size_bytes,
        "used_bytes": usage.used_bytes,
        "free_bytes": usage.free_bytes,
        "files": usage.files,
        "files_used": usage.files_used,
        "files_free": usage.files_free,
        "quota": _quota(usage.quota) if usage.quota is not None else None,
    }


def _quota(each: Quota) -> dict[str, Any]:
    return {
        "limit_bytes": each.limit_bytes,
        "used_bytes": each.used_bytes,
        "limit_files": each.limit_files,
        "used_files": each.used_files,
    }


def ephemeral(each: Ephemeral) -> dict[str, Any]:
    """`#/components/schemas/StorageEphemeral`."""
    return {
        "state": each.state,
        "reason": each.reason,
        "counted": iso_of(each.counted) if each.counted is not None else None,
        "files": each.files,
        "bytes": each.bytes,
        "biggest": [file(one) for one in each.biggest],
        "more": each.more,
        "folders": [folder(one) for one in each.folders],
        "ignored": each.ignored,
    }


def file(each: EphemeralFile) -> dict[str, Any]:
    """`#/components/schemas/StorageFile`."""
    return {
        "path": each.path,
        "size": each.size,
        "modified": _time(each.modified),
        "root_path": each.root_path,
    }


def _time(seconds: float) -> str | None:
    """None for a time that no calendar has: anybody may set that of a file (utime(2))."""
    try:
        return iso_of(seconds)
    except (OverflowError, ValueError, OSError):
        return None


def folder(each: FolderTotal) -> dict[str, Any]:
    """`#/components/schemas/StorageFolder`."""
    return {"path": each.path, "files": each.files, "bytes": each.bytes}


def listing(each: Listing) -> dict[str, Any]:
    """`#/components/schemas/StorageListing`."""
    return {
        "folder": each.folder,
        "files": [file(one) for one in each.files],
        "folders": [folder(one) for one in each.folders],
        "more": each.more,
    }


def private(each: Private | None) -> dict[str, Any] | None:
    return None if each is None else {"path": each.path, "root_path": each.root_path}


def place(each: Place) -> dict[str, Any]:
    """`#/components/schemas/StoragePlace`."""
    return {
        "path": each.path,
        "persistence": each.verdict.persistence,
        "why": each.verdict.why,
        "volume": each.volume,
        "private": private(each.private),
    }


def files_of(told: Mapping[str, Any], root_path: RootPath) -> list[EphemeralFile]:
    """Of what `tally.Tally.to_json` gave."""
    return [EphemeralFile(path, size, changed, root_path(path)) for size, path, changed in told["biggest"]]


def folders_of(told: Mapping[str, Any]) -> list[FolderTotal]:
    return [FolderTotal(path, files, size) for path, files, size in told["folders"]]
