"""Small real conda packages, and channels of them, made in milliseconds.

The packages have what conda itself demands of one: ``info/index.json``,
``info/paths.json`` with hashes, ``info/files``, prefix placeholders where asked for.
`.conda` is a zip of two zstandard tarballs
(https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/packages.html); the
standard library writes no zstandard before Python 3.14, so the frames hold stored blocks,
which every decoder reads (RFC 8878, 3.1.1.2).

    channel = Channel(tmp_path / "channel")
    channel.add(Package("alpha", "1.0", depends=["beta >=1"], files={"share/alpha.txt": b"hi"}))
    channel.write()
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3/" + "placehold_" * 22

Format = Literal[".conda", ".tar.bz2"]

_BLOCK = 128 * 1024


def zstd_stored_blocks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A zstandard frame of raw blocks over `chunks`, without compressing them."""
    yield b"\x28\xb5\x2f\xfd\x00\x38"  # magic; no options; window of 128 KiB
    for chunk in chunks:
        for start in range(0, len(chunk), _BLOCK):
            block = chunk[start : start + _BLOCK]
            yield (len(block) << 3).to_bytes(3, "little") + block
    yield b"\x01\x00\x00"  # an empty last block


def zstd_stored(data: bytes) -> bytes:
    return b"".join(zstd_stored_blocks(iter([data])))


@dataclass(frozen=True)
class Package:
    """What goes into one package.

    Attributes:
        files: path inside the prefix → content; `PLACEHOLDER` in a content of a path that
            is named in `prefix_files` is replaced by the prefix when it is linked.
        prefix_files: path → "text" or "binary".
        executable: paths to be linked with mode 755.
        noarch: "generic", "python", or None for a package of `subdir`.
    """

    name: str
    version: str = "1.0"
    build: str = "0"
    build_number: int = 0
    depends: Sequence[str] = ()
    constrains: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    prefix_files: Mapping[str, Literal["text", "binary"]] = field(default_factory=dict)
    executable: Sequence[str] = ()
    subdir: str = "noarch"
    noarch: Literal["generic", "python"] | None = "generic"
    format: Format = ".conda"
    summary: str = ""

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def file_name(self) -> str:
        return self.stem + self.format

    def index(self) -> dict[str, Any]:
        index: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": self.build_number,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.subdir,
            "timestamp": 1_700_000_000_000,
            "license": "BSD-3-Clause",
        }
        if self.noarch:
            index["noarch"] = self.noarch
        return index

    def archive(self) -> bytes:
        """The package file."""
        info = {
            "info/index.json": json.dumps(self.index()).encode(),
            "info/paths.json": json.dumps(self._paths()).encode(),
            "info/files": "".join(f"{path}\n" for path in sorted(self.files)).encode(),
            "info/about.json": json.dumps({"summary": self.summary}).encode(),
        }
        if self.noarch == "python":
            info["info/link.json"] = json.dumps(
                {"noarch": {"type": "python", "entry_points": []}, "package_metadata_version": 1}
            ).encode()
        if self.format == ".tar.bz2":
            return bz2.compress(self._tar({**info, **self.files}))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
            archive.writestr(f"pkg-{self.stem}.tar.zst", zstd_stored(self._tar(self.files)))
            archive.writestr(f"info-{self.stem}.tar.zst", zstd_stored(self._tar(info)))
        return out.getvalue()

    def _paths(self) -> dict[str, Any]:
        entries = []
        for path, content in sorted(self.files.items()):
            entry: dict[str, Any] = {
                "_path": path,
                "path_type": "hardlink",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_in_bytes": len(content),
            }
            if path in self.prefix_files:
                entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": self.prefix_files[path]}
            entries.append(entry)
        return {"paths": entries, "paths_version": 1}

    def _tar(self, members: Mapping[str, bytes]) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path, content in sorted(members.items()):
                member = tarfile.TarInfo(path)
                member.size = len(content)
                member.mode = 0o755 if path in self.executable else 0o644
                tar.addfile(member, io.BytesIO(content))
        return out.getvalue()


class Channel:
    """A folder that is a conda channel. `add` packages, then `write` (again after more)."""

    def __init__(self, folder: Path, *, subdirs: Sequence[str] = ("noarch", "linux-64")) -> None:
        self.folder = folder
        self._records: dict[str, dict[str, Any]] = {
            subdir: {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}, "repodata_version": 1}
            for subdir in subdirs
        }
        self._summaries: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        """The channel as a ``file://`` URL."""
        return self.folder.resolve().as_uri()

    def add(self, *packages: Package) -> None:
        for package in packages:
            data = package.archive()
            target = self.folder / package.subdir / package.file_name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            kind = "packages.conda" if package.format == ".conda" else "packages"
            self._records[package.subdir][kind][package.file_name] = package.index() | {
                "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
            }
            if package.summary:
                self._summaries[package.name] = {"summary": package.summary, "version": package.version}

    def write(self, *, channeldata: bool = True) -> None:
        """Write repodata.json of every subdir, and channeldata.json where a summary is known."""
        for subdir, repodata in self._records.items():
            (self.folder / subdir).mkdir(parents=True, exist_ok=True)
            (self.folder / subdir / "repodata.json").write_text(json.dumps(repodata))
        if channeldata and self._summaries:
            body = {"channeldata_version": 1, "packages": self._summaries, "subdirs": list(self._records)}
            (self.folder / "channeldata.json").write_text(json.dumps(body))


def tiny_kernel_stack() -> list[Package]:
    """A "python", an "ipykernel" and a few libraries: names and dependencies as the real
    ones have, contents of some bytes. For tests in which nothing is run."""
    spec = json.dumps({"argv": [f"{PLACEHOLDER}/bin/python", "-m", "ipykernel"], "display_name": "Python 3"})
    kernel_json = "share/jupyter/kernels/python3/kernel.json"
    return [
        *(
            Package(
                "python",
                version,
                subdir="linux-64",
                noarch=None,
                files={
                    "bin/python": b"#!/bin/sh\necho python\n",
                    "lib/python3.12/os.py": b"# os\n" * 200,
                    "lib/prefix.txt": PLACEHOLDER.encode(),
                },
                prefix_files={"lib/prefix.txt": "text"},
                executable=["bin/python"],
                summary="A language",
            )
            for version in ("3.11.9", "3.12.4")
        ),
        Package(
            "ipykernel",
            "6.29.5",
            depends=["python >=3.8", "traitlets"],
            files={kernel_json: spec.encode(), "share/ipykernel.txt": b"x" * 5000},
            prefix_files={kernel_json: "text"},
            summary="The IPython kernel",
        ),
        Package("traitlets", "5.14.3", depends=["python"], files={"share/traitlets.txt": b"t" * 4000}),
        Package(
            "numpy", "1.26.4", depends=["python"], files={"share/numpy.txt": b"n" * 3000}, summary="Arrays"
        ),
        Package(
            "numpy",
            "2.1.0",
            depends=["python >=3.12"],
            files={"share/numpy.txt": b"N" * 3000},
            summary="Arrays, the fundamental package",
        ),
    ]
