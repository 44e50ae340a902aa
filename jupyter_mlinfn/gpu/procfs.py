"""Processes as Linux shows them in /proc: only what the room asks for, each look by itself.

Every process may end between two looks: what is asked of one that is gone is None or empty, never
an error. Files and their fields: https://man7.org/linux/man-pages/man5/proc.5.html
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""Inode of the first PID namespace, the host's: PROC_PID_INIT_INO, always the same.
https://github.com/torvalds/linux/blob/master/include/linux/proc_ns.h"""

_TICKS = os.sysconf("SC_CLK_TCK")
_DEVICE = re.compile(r"/(nvidia\d+|nvidia-uvm|nvidia-caps/nvidia-cap\d+)$")
_DEAD = frozenset("ZXx")


class Status(NamedTuple):
    """One process at one moment.

    Attributes:
        started: seconds since the machine's start, to a hundredth.
        name: of the executable, as the kernel cuts it: 15 characters.
    """

    pid: int
    parent: int
    group: int
    session: int
    started: float
    name: str


class Proc:
    """A look at the processes: answers on a process are kept, so make a new one for each look.

    Args:
        proc: where the proc file system is.
        dev: where the device files are, as processes here see them.
    """

    def __init__(self, proc: Path, dev: Path) -> None:
        self._proc = os.fspath(proc)
        self._dev = os.fspath(dev)
        self._statuses: dict[int, Status | None] = {}
        self._environments: dict[int, dict[str, str]] = {}

    def status(self, pid: int) -> Status | None:
        """None for one that is gone, or has ended and is only still listed."""
        if pid not in self._statuses:
            self._statuses[pid] = self._status(pid)
        return self._statuses[pid]

    def still(self, status: Status) -> bool:
        """Whether it is still that process, and not another with its number."""
        now = self._status(status.pid)
        return now is not None and now.started == status.started

    def user(self, pid: int) -> int | None:
        """Its effective user."""
        for line in self._read(pid, "status").splitlines():
            if line.startswith(b"Uid:"):
                return int(line.split()[2])
        return None

    def arguments(self, pid: int) -> list[str]:
        return [os.fsdecode(part) for part in self._read(pid, "cmdline").rstrip(b"\0").split(b"\0") if part]

    def environment(self, pid: int) -> dict[str, str]:
        """What it was started with; empty where it may not be read."""
        if pid not in self._environments:
            pairs = (os.fsdecode(entry).partition("=") for entry in self._read(pid, "environ").split(b"\0"))
            self._environments[pid] = {name: value for name, equals, value in pairs if equals}
        return self._environments[pid]

    def pids(self) -> Iterator[int]:
        try:
            names = os.listdir(self._proc)  # noqa: PTH208 - a hot path
        except OSError:
            return
        yield from (int(name) for name in names if name.isdigit())

    def gpu_files(self, pid: int) -> frozenset[str] | None:
        """Names of the GPU's device files that it holds open; None where that may not be looked at.

        ``nvidia-uvm`` is opened for a CUDA context, ``nvidia0`` also by one that only asks the driver.
        """
        folder = f"{self._proc}/{pid}/fd"
        found = set()
        try:
            for name in os.listdir(folder):  # noqa: PTH208
                try:
                    target = os.readlink(f"{folder}/{name}")  # noqa: PTH115
                    device = _DEVICE.search(target)
                    # In another mount namespace the path is another one; what it leads to is not.
                    if device and (target == self._dev + device[0] or _is_device(f"{folder}/{name}")):
                        found.add(device[1])
                except OSError:  # Closed meanwhile.
                    continue
        except OSError:
            return None
        return frozenset(found)

    def has_gpu_files(self) -> bool:
        """Whether the device files are where processes that hold them can be told by."""
        return any(os.path.lexists(f"{self._dev}/{name}") for name in ("nvidiactl", "nvidia-uvm"))

    def in_initial_namespace(self) -> bool | None:
        """Whether processes here have the numbers that the host gives them; None: cannot be told."""
        try:
            target = os.readlink(f"{self._proc}/self/ns/pid")  # noqa: PTH115
        except OSError:
            return None
        return target == f"pid:[{INITIAL_PID_NAMESPACE}]"

    def _status(self, pid: int) -> Status | None:
        head, closing, tail = self._read(pid, "stat").rpartition(b")")
        fields = tail.split()
        if not closing or len(fields) < 20 or fields[0].decode() in _DEAD:
            return None
        # The name may have blanks and brackets of its own: the last closing one ends it.
        name = head.partition(b"(")[2].decode(errors="replace")
        parent, group, session = (int(field) for field in fields[1:4])
        return Status(pid, parent, group, session, int(fields[19]) / _TICKS, name)

    def _read(self, pid: int, name: str) -> bytes:
        try:
            with open(f"{self._proc}/{pid}/{name}", "rb") as file:  # noqa: PTH123 - a hot path
                return file.read()
        except OSError:
            return b""


def _is_device(path: str) -> bool:
    return stat.S_ISCHR(os.stat(path).st_mode)  # noqa: PTH116 - a hot path
