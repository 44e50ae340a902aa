"""The rescue itself, in its worker process.

A file gets its name in three steps, so that nothing half is ever called so, and the journal never claims
what is not: it is copied under a temporary name, synchronised and read back; a line of the journal says
that it is whole; it is renamed. The last two are done for some files at a time.
"""

from __future__ import annotations

import errno
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from ...errors import from_os_error
from ...times import now
from ..walk import Found, Plan, is_path, problem, real, walk, within
from . import claim, journal, manifest
from .copying import Copier, Copy, LeftError, Stopped, WriteError, not_a_file
from .folders import Folders
from .headroom import Headroom
from .journal import BusyError, Journal, Line
from .layout import RESCUED, journal_name, path_in_rescue, temporary_prefix
from .passes import Candidate, Total, smallest_first
from .places import FOLDER, folder_of
from .telling import Say, Telling
from .unread import Unread

THREADS = 8
"""Copies at a time of small files: the disk takes what several wait for in one go."""
_LARGE = 32 * 1024**2
"""Bytes of copies at a time; of larger files two: one is read back while the next is copied."""
_COMMIT_FILES = 200
_COMMIT_BYTES = 256 * 1024**2
_COMMIT_EVERY = 0.25
"""Seconds after which verified files get their names, at the latest."""
_TO_LIST = 25e-6
"""Seconds for a file in the manifest, to be kept of a limited time."""
NO_TIME = "There was no time left for it."
_REMOVED = "It was removed meanwhile."
_OTHER = "This rescue has kept it as it was on an earlier server: rescue it anew to have both."
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_ONE_FILE = frozenset(
    (
        *(errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EFBIG, errno.EPERM, errno.ENOTSUP),
        *(errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    )
)
"""What a storage says of one file; of anything else all others would fail as well."""


class _Outcome(NamedTuple):
    candidate: Candidate
    path: str
    temporary: str
    copy: Copy | None = None
    reason: str = ""
    error: OSError | None = None


class Rescue:
    """One attempt at a rescue.

    Args:
        request: `job`, `created` (of the job, ISO 8601), `private`, `plan` (`walk.Plan`), `paths` (None:
            all), `except`, `limit` (bytes, None: none), `seconds` (None: as long as it takes),
            `foreign` (it was begun by another server, whose files are gone).
        say: is told of progress.
        clock: monotonic, seconds.
    """

    def __init__(
        self, request: Mapping[str, Any], say: Say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._job = str(request["job"])
        self._created = str(request["created"])
        self._private = str(request["private"])
        self._plan = Plan.from_json(request["plan"])
        self._paths = request.get("paths")
        self._except = [real(path) for path in request.get("except") or () if is_path(path)]
        self._limit = request.get("limit")
        self._foreign = bool(request.get("foreign"))
        seconds = request.get("seconds")
        self._clock = clock
        self._end = clock() + seconds if seconds is not None else float("inf")
        self._telling = Telling(say, clock)
        self._stop = threading.Event()
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._at_work = self._weight_at_work = 0
        self._verified: list[_Outcome] = []
        self._since = 0.0
        self._lines: list[Line] = []
        self._left = 0
        self._kept = 0
        self._fatal: OSError | None = None
        self._count = 0
        self._total = Total()
        self._bases: dict[str, int] = {}
        self._walks = 0
        two_bases = len(self._plan.bases) > 1 and not within(self._plan.bases[1], self._plan.bases[0])
        self._home = self._plan.bases[1] if two_bases else None

    def run(self) -> dict[str, Any]:
        """Do it; `{name, summary, problem}`: of the folder, None where nothing is in it.

        Raises:
            MlinfnError, OSError: nothing more can be written; what is kept stays.
        """
        self._telling.tell("preparing")
        with ExitStack() as stack:
            groups = smallest_first(self._walk, self._wanted, self._total)
            first = next(groups, None)
            rescued = stack.enter_context(claim.rescued(self._private, make=True))
            name = claim.find(rescued, self._created, self._job)
            if name is None and (done := claim.find_finished(rescued, self._created, self._job)):
                return {"name": done[0], "summary": done[1], "problem": None}
            if name is None and first is None:
                return {"name": None, "summary": manifest.of_left(self._job, self._lines), "problem": None}
            resumed = name is not None
            name = name or claim.make(rescued, self._created, self._job)
            self._folder = os.open(name, FOLDER, dir_fd=rescued)
            stack.callback(os.close, self._folder)
            try:
                self._journal = Journal(self._folder, self._job, make=True)
            except BusyError as error:
                raise claim.busy() from error
            stack.callback(self._journal.close)
            account = manifest.Account(self._folder, self._job)
            if resumed:
                claim.tidy(self._folder, account)
            self._attempt = account.attempt + 1
            self._begin()
            self._headroom = Headroom(self._folder, self._limit)
            for base in self._plan.bases:
                # A user's home need not be there, or theirs to read: what lies in the root is kept.
                with suppress(OSError):
                    self._bases[base] = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                    stack.callback(os.close, self._bases[base])
            self._folders = Folders(self._folder)
            self._copier = Copier(self._folder, self._stop, self._telling.moved)
            with ThreadPoolExecutor(THREADS, "copy") as self._pool:
                try:
                    self._all(first, groups)
                except BaseException:
                    self._stop.set()
                    raise
            return self._finish(rescued, name)

    def _begin(self) -> None:
        root, home = self._plan.bases[0], self._plan.bases[-1]
        self._journal.write(
            [{"begin": self._job, "attempt": self._attempt, "time": now(), "root": root, "home": home}]
        )

    def _walk(self) -> Iterator[Found]:
        self._walks += 1
        skipped = Unread()
        for found in walk(self._plan, self._paths, skipped):
            if not any(within(found.path, each) for each in self._except):
                yield found
        if self._walks == 1:
            self._lines += skipped.lines
            for path in self._paths or ():
                if reason := problem(self._plan, path):
                    self._lines.append({"left": path, "size": None, "reason": reason})

    def _wanted(self, found: Found) -> bool:
        reason = not_a_file(found.status.st_mode)
        if reason and self._walks == 1:
            line: Line = {"left": found.path, "size": 0, "reason": reason}
            if found.path not in (self._paths or ()):
                # Nobody loses it who did not ask for it.
                line["uncounted"] = True
            self._lines.append(line)
        return not reason

    def _all(self, first: list[Candidate] | None, groups: Iterator[list[Candidate]]) -> None:
        group = first
        while group:
            self._lines += [{"plan": each.source, "size": each.weight} for each in group]
            self._write_lines()
            for candidate in group:
                self._consider(candidate)
            group = next(groups, None)
        while self._at_work:
            self._collect(wait=True)
        self._commit()
        if self._fatal is not None:
            folder = f"{self._private}/{RESCUED}"
            raise from_os_error(f"Nothing more could be written to {folder}.", self._fatal) from self._fatal

    def _consider(self, candidate: Candidate) -> None:
        if candidate.base not in self._bases:
            self._leave(candidate, _REMOVED)
            return
        of_home = candidate.base == self._home
        path = path_in_rescue(candidate.relative, of_home=of_home, two_bases=self._home is not None)
        if self._attempt > 1 and self._is_kept(candidate, path):
            self._headroom.count(candidate.weight)
            self._kept += 1
            self._telling.moved(candidate.weight)
            self._folders.touched(path, self._bases[candidate.base], candidate.relative)
            return
        if self._attempt > 1 and self._foreign and self._has(path):
            self._leave(candidate, _OTHER, other=True)
            return
        while self._at_work and not self._may_begin(candidate.weight):
            self._collect(wait=True)
        while not self._done.empty():
            self._collect(wait=False)
        self._look_at_the_clock()
        reason = NO_TIME if self._stop.is_set() else self._headroom.refusal(candidate.weight)
        if reason and reason != NO_TIME and self._is_hole(candidate):
            candidate = candidate._replace(weight=0)
            reason = self._headroom.refusal(0)
        if reason:
            self._leave(candidate, reason)
            return
        self._headroom.take(candidate.weight)
        self._at_work += 1
        self._weight_at_work += candidate.weight
        self._count += 1
        self._folders.touched(path, self._bases[candidate.base], candidate.relative)
        temporary = f"{temporary_prefix(self._job)}{self._attempt}-{self._count:x}"
        self._pool.submit(self._copy, candidate, path, temporary)

    def _is_hole(self, candidate: Candidate) -> bool:
        """Such a file has no blocks, as all files have that some storages tell of: its size was taken."""
        base = self._bases[candidate.base]
        return candidate.weight > 0 and self._copier.is_hole(base, candidate.relative)

    def _may_begin(self, weight: int) -> bool:
        if self._at_work >= THREADS:
            return False
        return self._at_work < 2 or self._weight_at_work + weight <= _LARGE

    def _copy(self, candidate: Candidate, path: str, temporary: str) -> None:
        """On a thread of the pool."""
        reason, error, copy = "", None, None
        try:
            copy = self._copier.copy(self._bases[candidate.base], candidate.relative, path, temporary)
        except LeftError as why:
            reason = str(why)
        except Stopped:
            reason = NO_TIME
        except WriteError as why:
            error = why.os_error
        except Exception as unexpected:  # noqa: BLE001 - it would be waited for without end
            error = OSError(errno.EIO, f"{type(unexpected).__name__}: {unexpected}")
        self._done.put(_Outcome(candidate, path, temporary, copy, reason, error))

    def _collect(self, *, wait: bool) -> None:
        """Take what has ended; where nothing has, look at the clock."""
        try:
            outcome = self._done.get(timeout=0.1) if wait else self._done.get_nowait()
        except queue.Empty:
            outcome = None
        if outcome is not None:
            self._take(outcome)
        self._look_at_the_clock()
        if self._verified and self._is_time():
            self._commit()
        self._tell("copying")

    def _take(self, outcome: _Outcome) -> None:
        candidate = outcome.candidate
        self._at_work -= 1
        self._weight_at_work -= candidate.weight
        self._headroom.settle(candidate.weight, kept=outcome.copy is not None)
        if outcome.copy is not None:
            if not self._verified:
                self._since = self._clock()
            self._verified.append(outcome)
        elif outcome.error is None:
            self._leave(candidate, outcome.reason)
        elif outcome.error.errno in _FULL:
            self._headroom.full(candidate.weight)
            self._leave(candidate, "Your private storage is full.")
        elif outcome.error.errno in _OF_ONE_FILE:
            said = outcome.error.strerror or str(outcome.error)
            self._leave(candidate, f"Your private storage does not take it: {said}.")
        else:
            self._fail(outcome.error)

    def _look_at_the_clock(self) -> None:
        if self._clock() + (self._kept + self._left) * _TO_LIST > self._end:
            self._stop.set()

    def _is_time(self) -> bool:
        if len(self._verified) >= _COMMIT_FILES or self._clock() - self._since > _COMMIT_EVERY:
            return True
        return sum(each.candidate.weight for each in self._verified) >= _COMMIT_BYTES

    def _commit(self) -> None:
        """Give verified files their names, once the journal says that they are whole."""
        verified, self._verified = self._verified, []
        try:
            self._journal.write([*map(self._line, verified), *self._lines])
        except OSError as error:
            for each in verified:
                self._unlink(each)
                self._leave(each.candidate, "Your private storage is full.")
            if error.errno not in _FULL:
                self._fail(error)
            self._headroom.full(0)
            return
        self._lines = []
        for each in verified:
            try:
                with folder_of(self._folder, each.path) as (there, name):
                    os.replace(each.temporary, name, src_dir_fd=there, dst_dir_fd=there)
            except OSError as error:
                self._unlink(each)
                self._fail(error)
            else:
                self._kept += 1

    def _line(self, outcome: _Outcome) -> Line:
        copy = outcome.copy
        assert copy is not None  # noqa: S101 - of what is verified
        again = self._attempt > 1
        if not again:
            # Not so before: it grew between two walks.
            again = self._has(outcome.path)
        line: Line = {"kept": outcome.path, "source": outcome.candidate.source}
        line |= {"temporary": outcome.temporary, "size": copy.size, "bytes": copy.weight}
        line |= {"link": copy.link} if copy.link is not None else {"sha256": copy.sha256}
        line |= {"mtime_ns": copy.mtime_ns}
        return line | {name: True for name, said in (("changed", copy.changed), ("again", again)) if said}

    def _write_lines(self) -> None:
        """Planned and left files; on a full disk they wait, and are forgotten at last."""
        try:
            self._journal.write(self._lines)
        except OSError as error:
            if error.errno not in _FULL:
                self._fail(error)
            self._headroom.full(0)
            self._lines = [line for line in self._lines if "left" in line]
        else:
            self._lines = []

    def _unlink(self, outcome: _Outcome) -> None:
        with suppress(OSError), folder_of(self._folder, outcome.path) as (there, _):
            os.unlink(outcome.temporary, dir_fd=there)

    def _leave(self, candidate: Candidate, reason: str, *, other: bool = False) -> None:
        self._left += 1
        line: Line = {"left": candidate.source, "size": candidate.weight, "reason": reason}
        self._lines.append(line | {"other": True} if other else line)
        if len(self._lines) >= _COMMIT_FILES * 10:
            self._write_lines()

    def _fail(self, error: OSError) -> None:
        self._fatal = self._fatal or error
        self._stop.set()

    def _has(self, path: str) -> bool:
        with suppress(OSError), folder_of(self._folder, path) as (there, name):
            os.stat(name, dir_fd=there, follow_symlinks=False)
            return True
        return False

    def _is_kept(self, candidate: Candidate, path: str) -> bool:
        """Whether it is there from before: it got its name when it was whole, with its source's time."""
        try:
            with folder_of(self._folder, path) as (there, name):
                kept = os.stat(name, dir_fd=there, follow_symlinks=False)
            with folder_of(self._bases[candidate.base], candidate.relative) as (there, name):
                source = os.stat(name, dir_fd=there, follow_symlinks=False)
        except OSError:
            return False
        same = (kept.st_size, kept.st_mtime_ns) == (source.st_size, source.st_mtime_ns)
        return same and stat.S_IFMT(kept.st_mode) == stat.S_IFMT(source.st_mode)

    def _finish(self, rescued: int, name: str) -> dict[str, Any]:
        self._tell("finishing", at_once=True)
        if not self._kept and self._attempt == 1:
            lines = [*journal.read(self._folder, self._job, "left"), *self._lines]
            summary = manifest.of_left(self._job, lines)
            claim.remove(rescued, name, self._job)
            return {"name": None, "summary": summary, "problem": None}
        self._folders.settle()
        self._write_lines()
        account = manifest.Account(self._folder, self._job, whole=self._attempt == 1 and not self._lines)
        try:
            summary = manifest.write(self._folder, account, complete=True)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            problem = "There was no room for the list of what was rescued; the files themselves are whole."
            return {"name": name, "summary": account.summary(complete=False), "problem": problem}
        os.unlink(journal_name(self._job), dir_fd=self._folder)
        os.fsync(self._folder)
        return {"name": name, "summary": summary, "problem": None}

    def _tell(self, phase: str, *, at_once: bool = False) -> None:
        self._telling.tell(phase, self._kept, self._total, at_once=at_once)
