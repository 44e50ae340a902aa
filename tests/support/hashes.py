"""Is a prefix whole, and what is in it? Asked without any code of the product.

What is believed are the records that package managers leave: conda-meta's ``paths_data`` with
sha256 (https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html), and RECORD
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import posixpath
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

META = "conda-meta/"
_NOT_RECORDS = frozenset({"created_at", "history", "mlinfn", "state", "frozen", "pinned"})
"""What may lie in conda-meta beside the records."""

_KNOWN: dict[tuple[int, ...], str] = {}
"""Hashes by device, inode, size, mtime and ctime: nobody can set a ctime, so equal means untouched."""

Package = tuple[str, str, str]
"""Version, build (empty for pip's), manager."""


@dataclass(frozen=True)
class State:
    """What is in a prefix.

    Attributes:
        packages: name → version, build and manager.
        files: path → sha256, ``" x"`` after it where it can be executed, or ``-> target``.
            Without byte code and without conda-meta.
        records: the same for conda-meta's ``*.json``.
    """

    packages: Mapping[str, Package]
    files: Mapping[str, str]
    records: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        return f"{len(self.packages)} packages, {len(self.files)} files"


def state(prefix: Path) -> State:
    """What is in the prefix now; every file is read."""
    files, records = {}, {}
    for path, entry in walk(prefix):
        if not path.startswith(META):
            files[path] = content(entry)
        elif path.endswith(".json"):
            records[path] = content(entry)
    packages: dict[str, Package] = {}
    owned: set[str] = set()
    for record in _records(prefix)[0]:
        packages[record["name"]] = (record["version"], record["build"], "conda")
        owned.update(_paths(record))
    for name, version, _ in _distributions(prefix, owned):
        # A distribution that conda has too would be told by `problems`.
        packages.setdefault(name, (version, "", "pip"))
    return State(packages, files, records)


def problems(prefix: Path, planted: Collection[str] = ()) -> list[str]:
    """All that is not as the records say; empty for a prefix that is whole.

    Args:
        planted: paths of files that the test put there itself, and no record names.
    """
    records, found = _records(prefix)
    present = dict(walk(prefix))
    owner: dict[str, str] = {}
    names: dict[str, str] = {}
    for record in records:
        name = record["name"]
        if name in names:
            found.append(f"two records of {name}: {names[name]} and {record['version']}")
        names[name] = record["version"]
        for path, expected in _paths(record).items():
            if path in owner:
                found.append(f"{path} belongs to {owner[path]} and {name}")
            owner[path] = name
            found += _compared(prefix, path, expected, name)
    found += [
        f"{record['name']} needs {wanted}, which is not there"
        for record in records
        for wanted in (spec.split()[0] for spec in record.get("depends", ()))
        if wanted not in names and not wanted.startswith("__")
    ]
    for name, _, entries in _distributions(prefix, set(owner)):
        if name in names:
            found.append(f"pip's {name} beside conda's")
        for path, expected in entries.items():
            owner[path] = name
            found += _compared(prefix, path, expected, name)
    found += [
        f"of nobody: {path}"
        for path in present
        if path not in owner and path not in planted and not path.startswith(META)
    ]
    for path in present:
        if path.startswith(META) and not path.endswith(".json") and path[len(META) :] not in _NOT_RECORDS:
            found.append(f"left behind: {path}")
    # An empty one is a distribution without a name to Python.
    found += [
        f"hollow: {folder.relative_to(prefix)}"
        for folder in prefix.glob("lib/python3*/site-packages/*.dist-info")
        if not (folder / "METADATA").exists()
    ]
    return found


def difference(old: State, new: State, *, most: int = 8) -> list[str]:
    """In what files two states differ, in words."""
    paths = sorted(old.files.keys() | new.files.keys())
    told = [
        f"{path}: {old.files.get(path, 'missing')[:12]} / {new.files.get(path, 'missing')[:12]}"
        for path in paths
        if old.files.get(path) != new.files.get(path)
    ]
    return told[:most] + ([f"… {len(told) - most} more"] if len(told) > most else [])


def content(path: str) -> str:
    """SHA-256 of the file in hexadecimal, ``" x"`` after it where it can be executed; ``-> target`` of
    a symbolic link."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return f"-> {os.readlink(path)}"  # noqa: PTH115 - no Path for each of ten thousand
    return _sha256(path, status) + (" x" if status.st_mode & stat.S_IXUSR else "")


def walk(prefix: Path) -> Iterator[tuple[str, str]]:
    """Relative and absolute path of every file and symbolic link, byte code left out."""
    root = str(prefix)
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114 - as above
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*files, *links):
            if not name.endswith((".pyc", ".pyo")):
                path = f"{folder}/{name}"
                yield path[len(root) + 1 :], path


def _sha256(path: str, status: os.stat_result) -> str:
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if (known := _KNOWN.get(key)) is None:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        known = _KNOWN[key] = digest.hexdigest()
    return known


def _records(prefix: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """conda-meta's records, and what is wrong with those that are none."""
    records, found = [], []
    for file in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            record = json.loads(file.read_bytes())
            stem = f"{record['name']}-{record['version']}-{record['build']}"
            _paths(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            found.append(f"{file.name} cannot be read: {error!r}")
            continue
        if file.stem != stem:
            found.append(f"{file.name} is the record of {stem}")
        records.append(record)
    return records, found


def _paths(record: Mapping[str, Any]) -> dict[str, str | None]:
    """Paths of a package, with the hash in this prefix; None where it is not told."""
    found: dict[str, str | None] = {
        path: None for path in record.get("files", ()) if not path.endswith((".pyc", ".pyo"))
    }
    # conda leaves paths of noarch packages as they are in the package; `files` has the real ones.
    library = next((path.partition("site-packages/")[0] for path in found if "/site-packages/" in path), "")
    for entry in record["paths_data"]["paths"]:
        path = entry["_path"]
        if path not in found and path.startswith("site-packages/"):
            path = library + path
        elif path not in found and path.startswith("python-scripts/"):
            path = path.replace("python-scripts/", "bin/", 1)
        if not path.endswith((".pyc", ".pyo")):
            found[path] = entry.get("sha256_in_prefix") or entry.get("sha256")
    return found


def _compared(prefix: Path, path: str, expected: str | None, name: str) -> list[str]:
    file = f"{prefix}/{path}"
    try:
        status = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return [f"missing: {path} of {name}"]
    if expected is None or not stat.S_ISREG(status.st_mode):
        return []
    if _sha256(file, status) != expected:
        return [f"other content: {path} of {name}"]
    return []


def _distributions(prefix: Path, owned: Collection[str]) -> Iterator[tuple[str, str, dict[str, str | None]]]:
    """Name, version and files of what pip installed: those whose metadata are no conda package's."""
    for folder in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info")):
        place = folder.relative_to(prefix).as_posix()
        if f"{place}/METADATA" in owned or not (folder / "METADATA").exists():
            continue
        fields = HeaderParser().parsestr((folder / "METADATA").read_text(encoding="utf-8"))
        entries: dict[str, str | None] = {}
        # Without a record it owns nothing, and its files are told to be of nobody.
        record = folder / "RECORD"
        for row in csv.reader(record.read_text(encoding="utf-8").splitlines() if record.exists() else ()):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(place), row[0]))
            if not path.endswith((".pyc", ".pyo")):
                entries[path] = _hexadecimal(row[1])
        yield fields["Name"].lower().replace("_", "-").replace(".", "-"), fields["Version"], entries


def _hexadecimal(recorded: str) -> str | None:
    """``sha256=<urlsafe base64 without padding>`` as hexadecimal."""
    kind, _, value = recorded.partition("=")
    if kind != "sha256":
        return None
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
