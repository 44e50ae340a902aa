"""What an installation writes: bytes and inodes, exact for cached packages, else estimated."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rattler import RepoDataRecord

from ...disk import MAKE_ROOM, existing, free
from ...errors import NoSpaceError, from_os_error
from ...sizes import in_words

BYTES_PER_ARCHIVED_BYTE = 6.1
"""106 MB on disk from 17.5 MB of archives: python + ipykernel + pip (FACTS 2)."""
INODES_PER_ARCHIVED_BYTE = 10_429 / 17.5e6
"""The same installation."""


@dataclass(frozen=True)
class Space:
    """What is newly written on the volume of the environments.

    A cached package on the same volume is hard-linked: it costs only the files into which the
    prefix is written, its folders and its record.
    """

    size: int
    inodes: int
    estimated: bool


def needed(
    records: Sequence[RepoDataRecord], cached: Sequence[bool], caches: Sequence[Path], prefix: Path | None
) -> Space:
    """The space for `records`; `cached` says of each whether it is in one of `caches`.

    Args:
        prefix: where they will be linked; None: on the volume of the first cache.
    """
    volume = _device(prefix or caches[0])
    size = inodes = 0
    estimated = False
    for record, is_cached in zip(records, cached, strict=True):
        found = _cached_space(record, caches, volume) if is_cached else None
        if found is None:
            estimated = True
            archive = record.size or 0
            found = int(archive * BYTES_PER_ARCHIVED_BYTE), 3 + int(archive * INODES_PER_ARCHIVED_BYTE)
        size += found[0]
        inodes += found[1]
    return Space(size, inodes, estimated)


def _cached_space(record: RepoDataRecord, caches: Sequence[Path], volume: int) -> tuple[int, int] | None:
    stem = record.file_name.removesuffix(".conda").removesuffix(".tar.bz2")
    for cache in caches:
        paths = cache / stem / "info" / "paths.json"
        try:
            text = paths.read_bytes()
            entries = json.loads(text)["paths"]
            linkable = paths.stat().st_dev == volume
        except (OSError, ValueError, KeyError):
            continue
        size, inodes = len(text) * 3 // 2, 1  # the record in conda-meta repeats the list
        folders = set()
        for entry in entries:
            folders.add(os.path.dirname(entry["_path"]))  # noqa: PTH120 - ten thousand times
            if "prefix_placeholder" in entry or entry.get("path_type") != "hardlink" or not linkable:
                size += entry.get("size_in_bytes") or 0
                inodes += 1
        return size, inodes + len(folders)
    return None


def _device(path: Path) -> int:
    return existing(path).stat().st_dev


def check(prefix: Path, cost: Mapping[str, Any], what: str) -> None:
    """Refuse what does not fit, before anything is written.

    Args:
        cost: with ``installed_bytes``, ``installed_files`` and ``estimated`` of `models.Plan`.
        what: what failed, one sentence, for errors of the disk.

    Raises:
        NoSpaceError: bytes or inodes do not suffice; says how many are missing.
    """
    try:
        available, inodes = free(prefix)
    except OSError as error:
        raise from_os_error(what, error) from error
    need, files = cost["installed_bytes"], cost["installed_files"]
    about = "about " if cost["estimated"] else ""
    if need > available:
        raise NoSpaceError(
            f"There is not enough space: {about}{in_words(need)} are needed, {in_words(available)} are free.",
            reason=f"About {in_words(need - available)} are missing on the disk of {prefix.parent}.",
            hint=MAKE_ROOM,
        )
    if inodes is not None and files > inodes:
        raise NoSpaceError(
            f"There is no room for so many files: {about}{files:,} are needed, {inodes:,} are left.",
            reason=f"Room for {about}{files - inodes:,} files is missing on the disk of {prefix.parent},"
            " which has a limit on their number.",
            hint=MAKE_ROOM,
        )
