"""Is the package cache still what was unpacked into it?

The files of an environment are hard links to the cache: editing one in place edits the cache's
copy, and every environment made from it afterwards. Before anything is linked, each file is
compared with a stamp (`STAMP`, in the package's own folder, so that it comes and goes with it);
where that differs, and where there is no stamp yet, with the SHA-256 in ``info/paths.json``,
which is that of the file as packaged: placeholders are replaced in copies only
(https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html).

A file whose size, mtime, inode and owner's rights (they are the link's too) are what they were
counts as unchanged: who puts the old mtime back on purpose is not found out. ctime would find him
out, but every new hard link changes it.

Standard library only. Everything here blocks on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files import sha256_of

STAMP = "info/mlinfn-stamp.json"
"""``{"version": 1, "files": {path: [size, mtime_ns, inode, mode & 0o500] | "target of a symbolic
link"}, "info": {path: sha256}}``, paths relative to the package's folder."""

BESIDE = (".lock", ".conda", ".tar.bz2")
"""What lies beside a package's folder: rattler's note of its revision and hash, and the archive
where conda shares the cache."""

IN_USE = ".mlinfn-in-use.lock"
"""Locked, shared, by our own installations from before the first look to the last link."""

INSTALLING = ".cache.lock"
"""Locked by rattler (flock(2)) as long as an installation lasts (rattler_cache, `CacheGlobalLock`)."""

_THREADS = 8
_PATIENCE = 0.1
"""Seconds after which the rest is left to threads. Ten thousand looks at a local disk take half of
it, and twice as long in threads; at a network volume they are waiting, and eight wait at once."""

Stat = list[int] | str


@dataclass(frozen=True)
class _Stamp:
    files: Mapping[str, Stat]
    info: Mapping[str, str]


class _Damaged(Exception):
    """The package must not be linked from."""


def remember(cache: Path, stems: Iterable[str]) -> None:
    """Stamp packages that were unpacked just now; one that has a stamp keeps it.

    Args:
        stems: names of the folders in the cache, ``NAME-VERSION-BUILD``. What is not in the cache
            is passed over.
    Raises:
        OSError: a stamp cannot be written.
    """
    for stem in stems:
        folder = _entry(cache, stem)
        if (folder / STAMP).exists():
            continue  # Never anew: a change made since would become the truth.
        with suppress(_Damaged, FileNotFoundError, NotADirectoryError):
            _write(folder, _look(folder, list(_expected(folder))))


def verify(cache: Path, stems: Iterable[str]) -> list[str]:
    """The packages of `stems` that lie in the cache and must not be linked from, in their order.

    What is not in the cache at all is not named: it will be fetched. Packages seen here for the
    first time are hashed whole and stamped.

    Raises:
        OSError: the cache cannot be read.
    """
    wanted = list(dict.fromkeys(stems))
    whole: list[bool] = []
    began = time.monotonic()
    while len(whole) < len(wanted) and time.monotonic() - began < _PATIENCE:
        whole.append(_is_whole(_entry(cache, wanted[len(whole)])))
    with ThreadPoolExecutor(_THREADS) as threads:
        whole += threads.map(lambda stem: _is_whole(_entry(cache, stem)), wanted[len(whole) :])
    return [stem for stem, good in zip(wanted, whole, strict=True) if not good]


def evict(cache: Path, stems: Sequence[str], trash: Path) -> None:
    """Move packages out of the cache, so that they are fetched anew; environments keep their links.

    Waits until no installation is at work on this cache: it would miss the files that it is
    about to link. So never call it from within one.

    Args:
        trash: folder that is swept later (`trash.Trash`), on the volume of the cache; where it
            is on another, a hidden folder in the cache is used, see `install.in_use`.
    Raises:
        OSError: the cache cannot be written to.
    """
    if not stems or not cache.is_dir():
        return
    with _no_installation(cache):
        for stem in stems:
            move_away(cache, stem, trash)


def ensure(cache: Path, stems: Sequence[str], trash: Path) -> list[str]:
    """`verify` and `evict` what it names; what was evicted."""
    damaged = verify(cache, stems)
    evict(cache, damaged, trash)
    return damaged


@contextmanager
def _no_installation(cache: Path) -> Iterator[None]:
    descriptor = os.open(cache / INSTALLING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def move_away(cache: Path, stem: str, trash: Path) -> Path | None:
    """Move one package out of the cache, for who holds its locks; where it is now, if it was there.

    Raises:
        OSError: the cache cannot be written to.
    """
    folder = _entry(cache, stem)
    name = f"{stem}-{uuid.uuid4().hex[:8]}"
    target: Path | None = trash / name
    try:
        trash.mkdir(exist_ok=True, mode=0o700)
        folder.rename(trash / name)
    except FileNotFoundError:
        if folder.exists():
            raise
        target = None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        target = folder.rename(folder.with_name(f".{name}"))
    for suffix in BESIDE:
        (cache / f"{stem}{suffix}").unlink(missing_ok=True)
    return target


def _entry(cache: Path, stem: str) -> Path:
    if not stem or stem.startswith(".") or "/" in stem or "\0" in stem:
        raise ValueError(f"no name of a package: {stem!r}")
    return cache / stem


def _is_whole(folder: Path) -> bool:
    try:
        folder.lstat()
    except FileNotFoundError:
        return True
    try:
        stamp = _read(folder)
        if stamp is None:
            _check_all(folder)
        else:
            _check_changed(folder, stamp)
    except (_Damaged, FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        # A name that cannot be one (a zero byte in paths.json) is a ValueError of os.lstat.
        return False
    return True


def _check_all(folder: Path) -> None:
    expected = _expected(folder)
    seen = _look(folder, list(expected))
    _check_hashes(folder, expected, [path for path, stat in seen.items() if not isinstance(stat, str)])
    with suppress(PermissionError):  # The site's cache: it will be hashed again.
        _write(folder, seen)


def _check_changed(folder: Path, stamp: _Stamp) -> None:
    """Raise `_Damaged` where a file is not what the stamp and, failing that, its hash says."""
    seen = _look(folder, list(stamp.files))
    changed = [path for path, stat in seen.items() if stat != stamp.files[path]]
    if not changed:
        return
    for path in changed:
        before, after = stamp.files[path], seen[path]
        if isinstance(before, str) or isinstance(after, str) or before[3] != after[3]:
            raise _Damaged
    # First what tells the hashes of the others.
    _check_hashes(folder, stamp.info, [path for path in changed if path in stamp.info])
    others = [path for path in changed if path not in stamp.info]
    if others:
        expected = _expected(folder)
        if any(expected.get(path) is None for path in others):
            raise _Damaged
        _check_hashes(folder, expected, others)
    # Touched, or brought back from a backup, with the same content.
    with suppress(PermissionError):
        _write(folder, seen)


def _expected(folder: Path) -> dict[str, str | None]:
    """Every file of the package, and its SHA-256 where the package tells it."""
    info = folder / "info"
    listed: dict[str, str | None] = {}
    try:
        index = json.loads((info / "index.json").read_bytes())
        if "{name}-{version}-{build}".format(**index) != folder.name:
            raise _Damaged
        try:
            entries = json.loads((info / "paths.json").read_bytes())["paths"]
        except FileNotFoundError:
            # Packages of before 2017 have only this.
            entries = [{"_path": line} for line in (info / "files").read_text("utf-8").splitlines() if line]
        for entry in entries:
            if entry.get("path_type") != "directory":
                listed[_inside(entry["_path"])] = entry.get("sha256")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Damaged from error
    for file in info.iterdir():
        if file.suffix == ".json" and f"info/{file.name}" != STAMP and not file.name.startswith("."):
            listed.setdefault(f"info/{file.name}", None)
    return listed


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"outside of the package: {path!r}")
    return path


def _look(folder: Path, paths: Sequence[str]) -> dict[str, Stat]:
    base = f"{folder}/"
    seen: dict[str, Stat] = {}
    for path in paths:
        status = os.lstat(base + path)
        kind = status.st_mode & 0o170000
        if kind == 0o120000:
            seen[path] = os.readlink(base + path)  # noqa: PTH115 - ten thousand times
        elif kind == 0o100000:
            seen[path] = [status.st_size, status.st_mtime_ns, status.st_ino, status.st_mode & 0o500]
        else:
            raise _Damaged
    return seen


def _check_hashes(folder: Path, expected: Mapping[str, str | None], paths: Iterable[str]) -> None:
    for path in paths:
        wanted = expected.get(path)
        if wanted is not None and sha256_of(folder / path) != wanted.lower():
            raise _Damaged


def _read(folder: Path) -> _Stamp | None:
    try:
        body = json.loads((folder / STAMP).read_bytes())
        if body["version"] == 1 and isinstance(body["files"], dict) and isinstance(body["info"], dict):
            return _Stamp(body["files"], body["info"])
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        # Not there, or cut off by a power cut: hashing tells.
        return None
    return None


def _write(folder: Path, files: Mapping[str, Stat]) -> None:
    info = {path: sha256_of(folder / path) for path in files if path.startswith("info/")}
    body: dict[str, Any] = {"version": 1, "files": files, "info": info}
    temporary = folder / "info" / f".stamp-{uuid.uuid4().hex}"
    try:
        temporary.write_text(json.dumps(body, separators=(",", ":")), encoding="utf-8")
        temporary.replace(folder / STAMP)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
