"""Writing one real `.conda` package.

The format is conda's version 2: an uncompressed zip of `metadata.json`, `pkg-*.tar.zst` and
`info-*.tar.zst`, as described in https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html.
The same definition always gives the same bytes: times, owners and the order of files are fixed.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

PLACEHOLDER = ("/opt/jupyter_mlinfn_demo" + "_placehold" * 26)[:255]
"""Stands in a package's text for the prefix; the installer writes the real one in its place."""

_EPOCH = 1_767_225_600
"""2026-01-01 UTC: the one time that is written into packages, for equal bytes from equal input."""

_ZSTD_LEVEL = 3
"""A higher level costs seconds at the first start and saves a few megabytes on the same disk."""


@dataclass(frozen=True)
class PackageFile:
    """One file of a package, at `path` below the prefix (or `site-packages/` in a noarch Python package)."""

    path: str
    content: bytes | Path = b""
    executable: bool = False
    link_to: str | None = None
    """The target where the file is a symbolic link; `content` is then not used."""

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True)
class PackageDefinition:
    """What a package is, before it is one."""

    name: str
    version: str
    subdir: str
    """`noarch` or a platform such as `linux-64`."""
    build_prefix: str = ""
    """What the build string starts with, e.g. `py311`; a digest of the content follows."""
    build_number: int = 0
    """Of builds of one version, the highest that fits is taken."""
    noarch_python: bool = False
    depends: Sequence[str] = ()
    summary: str = ""
    license: str = ""
    home: str = ""
    files: Sequence[PackageFile] = field(default_factory=tuple)
    entry_points: Sequence[str] = ()
    """`name = module:function`; for noarch Python packages only, where the installer makes the scripts."""


def write_package(definition: PackageDefinition, channel: Path) -> Path:
    """Write `definition` as `<channel>/<subdir>/<name>-<version>-<build>.conda` and return that path."""
    payload, paths = _payload(definition.files)
    digest = hashlib.sha256()
    digest.update(payload)
    digest.update(json.dumps([definition.depends, definition.entry_points]).encode())
    build = f"{definition.build_prefix}h{digest.hexdigest()[:7]}_{definition.build_number}"
    stem = f"{definition.name}-{definition.version}-{build}"
    info = _info_files(definition, build, paths)

    target = channel / definition.subdir / f"{stem}.conda"
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_STORED) as archive:
        _add(archive, "metadata.json", b'{"conda_pkg_format_version": 2}')
        _add(archive, f"pkg-{stem}.tar.zst", _compress(payload))
        _add(archive, f"info-{stem}.tar.zst", _compress(_payload(info)[0]))
    return target


def _payload(files: Iterable[PackageFile]) -> tuple[bytes, list[dict[str, Any]]]:
    """A tar archive of `files` and what `info/paths.json` says of each."""
    buffer = io.BytesIO()
    paths: list[dict[str, Any]] = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for file in sorted(files, key=lambda file: file.path):
            member = tarfile.TarInfo(file.path)
            member.mtime = _EPOCH
            entry: dict[str, Any] = {"_path": file.path}
            if file.link_to is not None:
                member.type = tarfile.SYMTYPE
                member.linkname = file.link_to
                archive.addfile(member)
                entry["path_type"] = "softlink"
            else:
                content = file.read()
                member.size = len(content)
                member.mode = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
                if file.executable:
                    member.mode |= stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
                archive.addfile(member, io.BytesIO(content))
                entry["path_type"] = "hardlink"
                entry["sha256"] = hashlib.sha256(content).hexdigest()
                entry["size_in_bytes"] = len(content)
                if PLACEHOLDER.encode() in content:
                    entry["prefix_placeholder"] = PLACEHOLDER
                    entry["file_mode"] = "text"
            paths.append(entry)
    return buffer.getvalue(), paths


def _info_files(
    definition: PackageDefinition, build: str, paths: Sequence[Mapping[str, Any]]
) -> list[PackageFile]:
    index: dict[str, Any] = {
        "name": definition.name,
        "version": definition.version,
        "build": build,
        "build_number": definition.build_number,
        "depends": list(definition.depends),
        "subdir": definition.subdir,
        "timestamp": _EPOCH * 1000,
    }
    if definition.license:
        index["license"] = definition.license
    if definition.subdir == "noarch":
        index["noarch"] = "python" if definition.noarch_python else "generic"
    else:
        platform, _, bits = definition.subdir.partition("-")
        index["platform"] = platform
        index["arch"] = {"64": "x86_64", "32": "x86"}.get(bits, bits)
    documents: dict[str, Any] = {
        "index.json": index,
        "paths.json": {"paths_version": 1, "paths": list(paths)},
        "about.json": {
            "summary": definition.summary,
            "home": definition.home,
            "license": definition.license,
        },
    }
    if definition.noarch_python:
        documents["link.json"] = {
            "noarch": {"type": "python", "entry_points": list(definition.entry_points)},
            "package_metadata_version": 1,
        }
    files = [
        PackageFile(f"info/{name}", json.dumps(document, indent=1, sort_keys=True).encode())
        for name, document in documents.items()
    ]
    listing = "".join(f"{entry['_path']}\n" for entry in paths)
    return [*files, PackageFile("info/files", listing.encode())]


def _compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0)), data)
