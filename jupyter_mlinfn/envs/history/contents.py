"""What is in a prefix, as its package managers wrote it down: packages and the files they own."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from ..worker import pip_packages

META = "conda-meta/"


class CondaEntry(TypedDict):
    """A conda package as a revision remembers it: enough to have it again."""

    name: str
    version: str
    build: str
    subdir: str
    channel: str
    url: str
    sha256: str | None
    md5: str | None
    size: int | None
    file: str
    """Its record's file name in conda-meta."""
    requested: bool
    record: dict[str, Any]
    """What the channel says of it (repodata), so that it can be linked again without the channel's list."""


class PipEntry(TypedDict):
    """A distribution that pip installed, as a revision remembers it."""

    name: str
    version: str
    folder: str
    record_sha256: str | None
    wheel_sha256: str | None
    """Key of the kept wheel; None where pip was called outside."""
    wheel: str | None
    url: str | None
    direct_url: Mapping[str, Any] | None
    """Of one that the user gave a URL for (PEP 610)."""
    requested: bool


@dataclass(frozen=True)
class Owner:
    """Whose a file is."""

    manager: Literal["conda", "pip"]
    package: str
    sha256: str | None
    """What its content ought to be; None where nobody says."""


Files = dict[str, "str | None"]
"""Relative path → SHA-256 that its content ought to have; None where nobody says."""


@dataclass
class Contents:
    """Packages of a prefix.

    Attributes:
        conda: by the name of their record's file.
        conda_files: the files of each, by the record's file; with the record itself.
        pip: those that conda does not own, by normalized name.
        pip_files: the files of each, by name.
    """

    conda: dict[str, CondaEntry] = field(default_factory=dict)
    pip: dict[str, PipEntry] = field(default_factory=dict)
    unread: Path | None = None
    """The prefix, where only its packages are known so far: most changes need the files of none."""
    _conda_files: dict[str, Files] = field(default_factory=dict)
    _pip_files: dict[str, Files] = field(default_factory=dict)

    @property
    def conda_files(self) -> dict[str, Files]:
        self._read_files()
        return self._conda_files

    @property
    def pip_files(self) -> dict[str, Files]:
        self._read_files()
        return self._pip_files

    def _read_files(self) -> None:
        if self.unread is not None:
            whole = read(self.unread)
            self._conda_files, self._pip_files = whole.conda_files, whole.pip_files
            self.unread = None

    def owners(self) -> dict[str, Owner]:
        """Whose each file is. The records themselves belong to their packages."""
        found: dict[str, Owner] = {}
        for name, files in self.pip_files.items():
            for path, sha256 in files.items():
                found[path] = Owner("pip", name, sha256)
        for record, files in self.conda_files.items():
            name = self.conda[record]["name"]
            for path, sha256 in files.items():
                found[path] = Owner("conda", name, sha256)
        return found

    def by_name(self) -> dict[str, CondaEntry]:
        return {entry["name"]: entry for entry in self.conda.values()}


def read(prefix: Path) -> Contents:
    """Read all records of a prefix.

    Raises:
        OSError: the prefix cannot be read.
    """
    contents = Contents()
    meta = prefix / "conda-meta"
    for name in sorted(entry.name for entry in meta.iterdir()):
        if not name.endswith(".json") or name.startswith("."):
            continue
        try:
            record = json.loads((meta / name).read_bytes())
            entry, files = _conda(record, name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # its package is as good as not there; the drift shows it
        contents.conda[name] = entry
        contents.conda_files[name] = files
    owned = {path for files in contents.conda_files.values() for path in files}
    found = pip_packages.distributions(prefix)
    conda_names = pip_packages.conda_owned(found, owned)
    for each in found:
        if each.name in conda_names:
            continue
        contents.pip[each.name] = PipEntry(
            name=each.name,
            version=each.version,
            folder=each.folder,
            record_sha256=each.record_sha256,
            wheel_sha256=None,
            wheel=None,
            url=None,
            direct_url=each.direct_url,
            requested=each.requested,
        )
        contents.pip_files[each.name] = dict(each.files or {})
    return contents


def _conda(record: Mapping[str, Any], file: str) -> tuple[CondaEntry, Files]:
    files: Files = {META + file: None}
    described = (record.get("paths_data") or {}).get("paths")
    if described:
        for entry in described:
            path = safe(entry["_path"])
            if path is not None:
                files[path] = entry.get("sha256_in_prefix") or entry.get("sha256")
    for listed in record.get("files") or ():
        path = safe(listed)
        if path is not None:
            files.setdefault(path, None)
    wanted = record.get("requested_specs") or record.get("requested_spec")
    entry = CondaEntry(
        name=str(record["name"]),
        version=str(record["version"]),
        build=str(record.get("build", "")),
        subdir=str(record.get("subdir", "")),
        channel=str(record.get("channel") or ""),
        url=str(record.get("url") or ""),
        sha256=record.get("sha256"),
        md5=record.get("md5"),
        size=record.get("size"),
        file=file,
        # conda writes the text "None" for nothing.
        requested=bool(wanted) and wanted != "None",
        record={name: value for name, value in record.items() if name not in _OF_THE_PREFIX},
    )
    return entry, files


_OF_THE_PREFIX = frozenset(
    {
        *("files", "paths_data", "link", "extracted_package_dir", "package_tarball_full_path"),
        *("requested_spec", "requested_specs", "auth", "Url"),
    }
)
"""What a record in conda-meta has beyond that of the channel."""


def safe(path: str) -> str | None:
    """A record's path as a revision uses it; None for one that leads out of the prefix."""
    # Asked of forty thousand paths, of which next to none needs more than this.
    if path and path[0] not in "/." and path[-1] != "/" and "/." not in path and "//" not in path:
        return path
    clean = posixpath.normpath(path)
    if clean in ("", ".") or clean.startswith(("../", "/")) or clean == "..":
        return None
    return clean


def same_record(a: CondaEntry, b: CondaEntry) -> bool:
    """Whether two entries are the very same package."""
    if a["sha256"] and b["sha256"]:
        return a["sha256"] == b["sha256"]
    return all(a[key] == b[key] for key in ("name", "version", "build", "subdir", "url"))
