"""What a rescue kept and what it left, to be read at any moment, and written at the end.

`MANIFEST` is JSON with one file a line, so that nobody needs to have it all in memory::

    {"format": 1,
    "summary": {…Summary},
    "files": [
    {"path": …, "source": …, "size": …, "bytes": …, "sha256": …, "mtime_ns": …, "changed": true},
    {"path": …, "source": …, "link": …}],
    "left": [
    {"path": SOURCE, "size": …, "reason": …, "uncounted": true}]}

What is neither file nor link is `uncounted` among what is left: nobody loses it.

`SUMS` is for ``sha256sum -c SHA256SUMS`` (coreutils, "md5sum invocation": how odd names are written).
"""

from __future__ import annotations

import heapq
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from . import journal
from .journal import Line
from .layout import MANIFEST, SUMS, job_of, temporary_prefix
from .places import FOLDER, folder_of

FORMAT = 1
TOLD = 100
"""Files that a result names."""
ENDED_BEFORE = "The rescue ended before it."


@dataclass
class Summary:
    """A rescue in numbers; bytes are those that are taken, without holes.

    Attributes:
        complete: every file that was chosen is kept, or named as left.
        told_left: the biggest of those left: `{path, size, reason}`.
    """

    job: str
    time: str = ""
    root: str = ""
    home: str = ""
    complete: bool = False
    files: int = 0
    bytes: int = 0
    left: int = 0
    left_bytes: int = 0
    changed: int = 0
    told_left: list[Line] = field(default_factory=list)
    told_changed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Manifest:
    """A rescue as it is.

    Attributes:
        at_work: its journal is there: it is going on, or has not come to its end.
        files, left: read them once; lines as in `MANIFEST`.
    """

    summary: Summary
    at_work: bool
    files: Iterator[Line]
    left: Iterator[Line]


def read_manifest(folder: Path) -> Manifest | None:
    """What is there of a rescue, true at any moment, also of one that was killed; None where the folder
    is none of a rescue.

    Raises:
        OSError: the storage does not give it.
    """
    with _opened(folder) as descriptor:
        job = next((job for name in _names(descriptor) if (job := job_of(name))), None)
        if job is not None:
            with suppress(FileNotFoundError):
                account = Account(descriptor, job)
                summary = account.summary(complete=False)
                return Manifest(summary, True, iter(list(account.kept())), iter(list(account.left())))
        # Now or meanwhile: with the journal gone, the manifest is whole.
        try:
            source = os.open(MANIFEST, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
        except FileNotFoundError:
            return None
    with os.fdopen(source, encoding="utf-8") as file:
        body = json.load(file)
    return Manifest(Summary(**body["summary"]), False, iter(body["files"]), iter(body["left"]))


def read_summary(folder: Path) -> Summary | None:
    """The numbers only, without reading all of a finished manifest; else as `read_manifest`."""
    with _opened(folder) as descriptor:
        summary = finished(descriptor)
    if summary is not None:
        return summary
    found = read_manifest(folder)
    return found.summary if found is not None else None


def finished(folder: int) -> Summary | None:
    """The numbers of a rescue that came to its end, from the first lines of its manifest; None for another.

    Raises:
        OSError: the storage does not give it.
    """
    names = _names(folder)
    if MANIFEST not in names or any(job_of(name) for name in names):
        return None
    source = os.open(MANIFEST, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(source, encoding="utf-8") as file, suppress(ValueError, TypeError):
        file.readline()
        line = file.readline().removeprefix('"summary": ').rstrip().removesuffix(",")
        return Summary(**json.loads(line))
    return None


def _names(folder: int) -> list[str]:
    return os.listdir(folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Account:
    """What a journal and the folder say together.

    Args:
        folder: descriptor of the rescue's.
        whole: the journal was written by one process, that has ended its work; nothing is looked up.
    Raises:
        OSError: there is no journal, or it cannot be read.
    """

    def __init__(self, folder: int, job: str, *, whole: bool = False) -> None:
        self._folder = folder
        self._whole = whole
        self.job = job
        self.begin: Line = {}
        self.attempt = 0
        again: set[str] = set()
        for line in journal.read(folder, job, "begin", mark="again"):
            if "begin" in line:
                self.begin, self.attempt = line, int(line["attempt"])
            elif line.get("again"):
                again.add(line["kept"])
        self._again = Counter(
            line["kept"]
            for line in (journal.read(folder, job, "kept") if again else ())
            if line["kept"] in again
        )

    def pending(self) -> Iterator[tuple[str, str]]:
        """Where a verified file has not got its name yet: that, and its temporary one."""
        for line in journal.read(self._folder, self.job, "kept"):
            if self._is_there(line["kept"], line["temporary"]):
                yield line["kept"], line["temporary"]

    def kept(self) -> Iterator[Line]:
        """What is there under its name, as in the manifest."""
        for line in self._kept_lines():
            if self._whole or self._lies_there(line):
                yield _entry(line)

    def left(self) -> Iterator[Line]:
        """What is not there, each once: as the last attempt told it, or else what was planned."""
        if self._whole:
            yield from map(_left, journal.read(self._folder, self.job, "left"))
            return
        attempt = 0
        told: set[str] = set()
        planned: dict[str, int | None] = {}
        there = {line["source"] for line in self._kept_lines() if self._lies_there(line)}
        for line in journal.read(self._folder, self.job, "begin", "left", "plan"):
            if "begin" in line:
                attempt = int(line["attempt"])
            elif "left" in line and attempt == self.attempt:
                if (line["left"] not in there or line.get("other")) and line["left"] not in told:
                    told.add(line["left"])
                    yield _left(line)
            elif "plan" in line:
                planned[line["plan"]] = line["size"]
        for source, size in planned.items():
            if source not in told and source not in there:
                yield {"path": source, "size": size, "reason": ENDED_BEFORE}

    def summary(self, *, complete: bool) -> Summary:
        """The numbers."""
        summary = self._empty(complete=complete)
        for entry in self.kept():
            _add_kept(summary, entry)
        _add_left(summary, self.left())
        return summary

    def write_sums(self, out: IO[bytes], *, complete: bool) -> Summary:
        """Write `SUMS`, and give the numbers, in one go."""
        summary = self._empty(complete=complete)
        for entry in self.kept():
            _add_kept(summary, entry)
            if entry.get("sha256"):
                out.write(sum_line(entry["sha256"], os.fsencode(entry["path"])))
        _add_left(summary, self.left())
        return summary

    def _empty(self, *, complete: bool) -> Summary:
        begin = self.begin
        return Summary(
            self.job, begin.get("time", ""), begin.get("root", ""), begin.get("home", ""), complete
        )

    def _kept_lines(self) -> Iterator[Line]:
        """The last line of each file."""
        waiting = dict(self._again)
        for line in journal.read(self._folder, self.job, "kept"):
            if (path := line["kept"]) in waiting:
                waiting[path] -= 1
                if waiting[path]:
                    continue
            yield line

    def _lies_there(self, line: Line) -> bool:
        try:
            with folder_of(self._folder, line["kept"]) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                return status.st_size == line["size"] and not _has(folder, line["temporary"])
        except OSError:
            return False

    def _is_there(self, path: str, temporary: str) -> bool:
        try:
            with folder_of(self._folder, path) as (folder, _):
                return _has(folder, temporary)
        except OSError:
            return False


def _add_kept(summary: Summary, entry: Mapping[str, Any]) -> None:
    summary.files += 1
    summary.bytes += entry.get("bytes", 0)
    if entry.get("changed"):
        summary.changed += 1
        if len(summary.told_changed) < TOLD:
            summary.told_changed.append(entry["source"])


def _add_left(summary: Summary, entries: Iterable[Mapping[str, Any]]) -> None:
    biggest: list[tuple[int, str, str]] = []
    for entry in entries:
        summary.left += not entry.get("uncounted")
        summary.left_bytes += entry["size"] or 0
        item = (entry["size"] if entry["size"] is not None else -1, entry["path"], entry["reason"])
        if len(biggest) < TOLD:
            heapq.heappush(biggest, item)
        else:
            heapq.heappushpop(biggest, item)
    summary.told_left = [
        {"path": path, "size": size if size >= 0 else None, "reason": reason}
        for size, path, reason in sorted(biggest, key=lambda item: (-item[0], item[1]))
    ]


def of_left(job: str, lines: Iterable[Line]) -> Summary:
    """The numbers of a rescue that kept nothing, from its lines."""
    summary = Summary(job, complete=True)
    _add_left(summary, (_left(line) for line in lines if "left" in line))
    return summary


def write(folder: int, account: Account, *, complete: bool = False) -> Summary:
    """Write `SUMS`, then `MANIFEST`, each whole or not at all; the journal stays.

    Raises:
        OSError: the storage is gone, full or read-only.
    """
    prefix = temporary_prefix(account.job)
    with _replaced(folder, prefix + "sums", SUMS) as out:
        summary = account.write_sums(out, complete=complete)
    with _replaced(folder, prefix + "manifest", MANIFEST) as out:
        out.write(f'{{"format": {FORMAT},\n"summary": {json.dumps(asdict(summary))},\n"files": ['.encode())
        _list(out.write, account.kept())
        out.write(b'],\n"left": [')
        _list(out.write, account.left())
        out.write(b"]}\n")
    os.fsync(folder)
    return summary


def sum_line(sha256: str, name: bytes) -> bytes:
    """A line of `SUMS`: names with a newline, a carriage return or a backslash are written with one."""
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + sha256.encode() + b"  " + escaped + b"\n"


def _list(write: Callable[[bytes], object], entries: Iterator[Line]) -> None:
    comma = "\n"
    for entry in entries:
        write((comma + json.dumps(entry)).encode())
        comma = ",\n"


@contextmanager
def _replaced(folder: int, temporary: str, name: str) -> Iterator[IO[bytes]]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o644, dir_fd=folder), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _entry(line: Line) -> Line:
    entry = {"path": line["kept"], "source": line["source"], "size": line["size"], "bytes": line["bytes"]}
    if line.get("link") is not None:
        return entry | {"link": line["link"]}
    entry |= {"sha256": line["sha256"], "mtime_ns": line["mtime_ns"]}
    return entry | {"changed": True} if line.get("changed") else entry


def _left(line: Line) -> Line:
    entry = {"path": line["left"], "size": line["size"], "reason": line["reason"]}
    return {**entry, "uncounted": True} if line.get("uncounted") else entry


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True
