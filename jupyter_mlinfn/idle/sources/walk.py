"""One walk over /proc a minute: which programs of this server have worked since the walk before.

CPU time alone would miss downloads, which wait for the network: bytes written to files, pipes and
terminals (`wchar`) and loaded from disks (`read_bytes`) are looked at as well, but only of processes
that have run since. https://man7.org/linux/man-pages/man5/proc_pid_io.5.html
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..models import Moment
from .belonging import VARIABLE, Found

MONITORS = frozenset(
    {"watch", "top", "htop", "btop", "atop", "iotop", "glances", "vmstat", "iostat", "pidstat", "dstat"}
    | {"nvidia-smi", "nvtop", "nvitop", "gpustat", "tty-clock", "cmatrix"}
)
"""Names of programs that only show something, however much they work; with whatever they start."""

CPU_PER_MINUTE = 3.0
"""Seconds. Measured: an idle ipykernel takes 0.02 a minute, one that waits for `input()` 0.22, `top` 0.04,
a clock in the shell 0.12."""

BYTES_PER_MINUTE = 6e6
"""100 kB a second."""

_TICK = os.sysconf("SC_CLK_TCK")
_RECHECK = 16
_PART = 16384


@dataclass(frozen=True)
class Program:
    """Processes of one session (setsid(2)), or below one child of the server, that have worked.

    Attributes:
        pid, name: of the process that has worked most.
        cpu: cores, on average since the walk before.
    """

    pid: int
    name: str
    cpu: float
    bytes_per_second: float
    by_cpu: bool


@dataclass
class _Process:
    """What the last walk saw.

    Attributes:
        own, reaped: ticks of itself, and of children that it has waited for.
        written: bytes when they were last read, at the moment `written_at`.
    """

    started: int
    parent: int
    session: int
    name: str
    own: int
    reaped: int
    written: int | None
    written_at: Moment
    monitor: bool
    ours: bool


@dataclass
class _Sum:
    cpu: float = 0.0
    rate: float = 0.0
    most: float = -1.0
    pid: int = 0
    name: str = ""

    def add(self, process: tuple[int, str], cpu: float, rate: float, weight: float) -> None:
        self.cpu += cpu
        self.rate += rate
        if weight > self.most:
            self.most, (self.pid, self.name) = weight, process


@dataclass
class _Stat:
    parent: int
    session: int
    own: int
    reaped: int
    started: int
    name: str = field(default="")


class Walk:
    """Called again and again, in one thread at a time.

    Args:
        server: process id of the server, which does not count itself.
        marker: its id, see `belonging.mark`.
        scope: see `belonging.scope`.
        cpu_per_minute: seconds of CPU time from which a program works.
        bytes_per_minute: of files, from which it does; in container runtimes without /proc/PID/io
            the CPU time alone is looked at.
        monitors: names of programs that never work, 15 characters at most.
    """

    def __init__(
        self,
        server: int,
        marker: str,
        scope: Found,
        *,
        cpu_per_minute: float = CPU_PER_MINUTE,
        bytes_per_minute: float = BYTES_PER_MINUTE,
        monitors: Collection[str] = MONITORS,
        proc: Path = Path("/proc"),
        clock: Callable[[], Moment] = time.monotonic,
    ) -> None:
        self._server = server
        self._marker = marker.encode()
        self._everybody = scope == "namespace"
        self._cpu = cpu_per_minute / 60
        self._bytes = bytes_per_minute / 60
        self._monitors = frozenset(monitors)
        self._proc = os.fspath(proc)
        self.clock = clock
        self.at: Moment = clock()
        self._known: dict[int, _Process] | None = None
        self._round = 0

    def __call__(self) -> list[Program]:
        """The programs that have worked since the last call; none at the first one."""
        before, now = self._known, self.clock()
        elapsed = max(now - self.at, 1e-3)
        seen = dict(self._look(before or {}, now))
        self.at, self._known = now, seen
        self._round += 1
        if before is None:
            for pid, process in seen.items():
                if process.ours:
                    process.written = self._written(pid)
            return []
        return self._worked(before, seen, now, elapsed)

    def _look(self, before: dict[int, _Process], now: Moment) -> Iterator[tuple[int, _Process]]:
        new: dict[int, _Stat] = {}
        found: dict[int, _Process] = {}
        for pid in self._pids():
            known = before.get(pid)
            if known is not None and not known.ours and (pid + self._round) % _RECHECK:
                found[pid] = known
                continue
            stat = self._stat(pid)
            if stat is None:
                continue
            if known is None or known.started != stat.started:
                new[pid] = stat
            else:
                monitor = known.monitor or stat.name in self._monitors
                found[pid] = _Process(
                    stat.started, stat.parent, stat.session, stat.name, stat.own, stat.reaped,
                    known.written, known.written_at, monitor, known.ours,
                )  # fmt: skip
        for pid in new:
            self._judge(pid, new, found, now)
        return iter(found.items())

    def _judge(self, pid: int, new: dict[int, _Stat], found: dict[int, _Process], now: Moment) -> None:
        """Whose the new process is; its parents first, which may be as new."""
        line = []
        while pid in new and pid not in found and pid not in line:
            line.append(pid)
            pid = new[pid].parent
        for each in reversed(line):
            stat = new[each]
            parent = found.get(stat.parent)
            ours = each != self._server and (
                self._everybody
                or stat.parent == self._server
                or (parent is not None and parent.ours)
                or self._is_marked(each)
            )
            monitor = stat.name in self._monitors or (parent is not None and parent.monitor)
            found[each] = _Process(
                stat.started, stat.parent, stat.session, stat.name, stat.own, stat.reaped,
                0, now, monitor, ours,
            )  # fmt: skip

    def _worked(
        self, before: dict[int, _Process], seen: dict[int, _Process], now: Moment, elapsed: float
    ) -> list[Program]:
        # What a process has gained by waiting for children was counted while they were there.
        counted: dict[int, int] = {}
        for pid, gone in before.items():
            if gone.ours and (pid not in seen or seen[pid].started != gone.started):
                counted[gone.parent] = counted.get(gone.parent, 0) + gone.own + gone.reaped
        server = seen.get(self._server)
        sums: dict[tuple[str, int], _Sum] = {}
        for pid, process in seen.items():
            if not process.ours or process.monitor:
                continue
            then = before.get(pid)
            if then is None or then.started != process.started:
                ticks = process.own + process.reaped
                reaped = own = 0
            else:
                own, reaped = process.own - then.own, process.reaped - then.reaped
                ticks = own + max(0, reaped - counted.get(pid, 0))
            if not (ticks or own or reaped):
                continue
            rate = self._rate(pid, process, now, elapsed)
            program = self._program(pid, process, seen, server)
            cpu = ticks / _TICK / elapsed
            weight = cpu / self._cpu + rate / self._bytes
            sums.setdefault(program, _Sum()).add((pid, process.name), cpu, rate, weight)
        return [
            Program(each.pid, each.name, each.cpu, each.rate, by_cpu=each.cpu >= self._cpu)
            for each in sums.values()
            if each.cpu >= self._cpu or each.rate >= self._bytes
        ]

    def _rate(self, pid: int, process: _Process, now: Moment, elapsed: float) -> float:
        """Bytes a second since they were last read."""
        written = self._written(pid)
        if written is None:
            return 0.0
        before, process.written = process.written, written
        since, process.written_at = process.written_at, now
        if before is None:
            return 0.0
        # A new process has written them since the last walk.
        return max(0, written - before) / max(now - since, elapsed)

    @staticmethod
    def _program(
        pid: int, process: _Process, seen: dict[int, _Process], server: _Process | None
    ) -> tuple[str, int]:
        if server is None or process.session != server.session:
            return ("session", process.session)
        # Started by the server without a session of its own, as proxied applications are.
        while (above := seen.get(process.parent)) is not None and above.ours:
            if above.session != process.session:
                break
            pid, process = process.parent, above
        return ("child", pid)

    def _is_marked(self, pid: int) -> bool:
        variable = VARIABLE.encode() + b"="
        for entry in self._read(pid, "environ").split(b"\0"):
            if entry.startswith(variable):
                return self._marker in entry[len(variable) :].split(b":")
        return False

    def _written(self, pid: int) -> int | None:
        fields = dict(line.split(b": ") for line in self._read(pid, "io").splitlines() if b": " in line)
        if b"wchar" not in fields:
            return None
        return int(fields[b"wchar"]) + int(fields.get(b"read_bytes", 0))

    def _pids(self) -> Iterator[int]:
        return (int(name) for name in os.listdir(self._proc) if name.isdigit())  # noqa: PTH208

    def _stat(self, pid: int) -> _Stat | None:
        head, closing, tail = self._read(pid, "stat").rpartition(b") ")
        if not closing:
            return None
        fields = tail.split(None, 20)
        name = head.partition(b"(")[2].decode(errors="replace")
        own, reaped = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
        return _Stat(int(fields[1]), int(fields[3]), own, reaped, int(fields[19]), name)

    def _read(self, pid: int, name: str) -> bytes:
        """Empty where it may not be read, or the process has ended."""
        try:
            file = os.open(f"{self._proc}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            text = part = os.read(file, _PART)
            while len(part) == _PART:
                text += (part := os.read(file, _PART))
            return text
        except OSError:
            return b""
        finally:
            os.close(file)
