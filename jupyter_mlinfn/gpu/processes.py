"""Who holds the memory: the driver's list of processes, mapped to the user's own."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .models import Device, DriverProcess, GpuProcess, Processes, Program
from .ownership import Owners
from .procfs import Proc, Status
from .shortname import command

_CONTAINER_IDS = (535, 113)
"""The first driver that lists processes by the numbers that they have in a container."""

_CONTAINER_SIZES = (565, 57)
"""The first driver that reports their sizes to a container."""

_NO_SIZE = "Holds a GPU context; the driver does not report its size."
_NO_REST = "The share of the driver and others cannot be told."
_VALUE = re.compile(r"[\w,:/.-]{1,200}", re.ASCII)


class ProcessMap:
    """Maps what the driver lists to processes, and these to kernels, terminals and the rest.

    Only the user's own processes are shown; the memory of everybody else's is part of what is left.
    Blocks for some milliseconds, so call it in a thread.

    Args:
        dev, proc: where device files and processes are.
        environment: of this server; default: what this process was started with and has set since.
        server: process of this server, or `NO_SERVER`; default: this process.
    """

    def __init__(
        self,
        *,
        dev: Path = Path("/dev"),
        proc: Path = Path("/proc"),
        environment: Mapping[str, str] | None = None,
        server: int | None = None,
    ) -> None:
        self._dev = dev
        self._proc = proc
        self._environment = os.environ if environment is None else environment
        self._server = os.getpid() if server is None else server

    def resolve(
        self,
        listed: Sequence[DriverProcess] | None,
        programs: Sequence[Program],
        *,
        driver_version: str | None,
        devices: Sequence[Device],
        used: Mapping[str, int | None],
        why_not_listed: str = "",
    ) -> Processes:
        """Who holds memory of the user's devices.

        Args:
            listed: what the driver lists, read just now; None where it refused.
            programs: what runs in this server.
            devices: the user's.
            used: bytes that are in use, by UUID of the device.
            why_not_listed: a sentence, where `listed` is None, or lacks one of several devices.
        """
        asked = time.time()
        proc = Proc(self._proc, self._dev)
        owners = Owners(proc, programs, self._server, self._environment)
        look = _Look(proc, owners, self._environment.get(_VISIBLE), _seconds_since_start(proc))
        answer = _holders(
            look, listed, _version(driver_version), driver_version, devices, used, why_not_listed
        )
        rows = sorted(answer.rows, key=lambda row: (row.memory is None, -(row.memory or 0), row.pid))
        if listed is None or why_not_listed:
            other, notes = None, (answer.note, _NO_REST)
        else:
            other, note = _rest(rows, used)
            notes = (answer.note, note)
        return Processes(tuple(rows), other, " ".join(part for part in notes if part), asked)


_VISIBLE = "CUDA_VISIBLE_DEVICES"


class _Answer(NamedTuple):
    rows: Sequence[GpuProcess]
    note: str = ""


class _Look:
    """One look at the processes.

    Args:
        visible: the server's ``CUDA_VISIBLE_DEVICES``.
        now: seconds since the machine's start.
    """

    def __init__(self, proc: Proc, owners: Owners, visible: str | None, now: float) -> None:
        self.proc = proc
        self._owners = owners
        self._visible = visible
        self._now = now

    def mine(self, pid: int) -> Status | None:
        """The process with this number, if it is the user's own."""
        status = self.proc.status(pid)
        if status is None or self.proc.user(pid) != os.geteuid():
            return None
        # One that has been started since the driver listed its number is another one.
        return status if status.started <= self._now else None

    def holders(self) -> list[Status]:
        """The user's own processes with a CUDA context."""
        found = (pid for pid in self.proc.pids() if "nvidia-uvm" in (self.proc.gpu_files(pid) or ()))
        return [status for pid in sorted(found) if (status := self.mine(pid))]

    def row(
        self, status: Status, device: str | None, memory: int | None, memory_note: str, note: str = ""
    ) -> GpuProcess | None:
        """None where the process has ended while it was looked at."""
        belonging = self._owners.of(status)
        root = self._owners.root(status.pid)
        if root is not None and root.kind != "terminal":
            name = root.title
        else:
            name = command(self.proc.arguments(status.pid), status.name)
        notes = (note, belonging.note, self._other_devices(status.pid))
        if not self.proc.still(status):
            return None
        return GpuProcess(
            pid=status.pid,
            device=device,
            memory=memory,
            command=name,
            owner=belonging.owner,
            memory_note=memory_note if memory is None else "",
            note=" ".join(part for part in notes if part),
        )

    def _other_devices(self, pid: int) -> str:
        environment = self.proc.environment(pid)
        visible = environment.get(_VISIBLE)
        if not environment or visible == self._visible:
            return ""
        return (
            f"Its {_VISIBLE} is {_said(visible)}, this server's is {_said(self._visible)}: "
            "it may see another device."
        )


def _holders(
    look: _Look,
    listed: Sequence[DriverProcess] | None,
    version: tuple[int, int] | None,
    driver: str | None,
    devices: Sequence[Device],
    used: Mapping[str, int | None],
    why_not_listed: str,
) -> _Answer:
    alone = devices[0].uuid if len(devices) == 1 else None
    if listed is None:
        why = why_not_listed or "The driver does not list the processes."
        return _Answer(_unsized(look, alone, why), why)
    known = _distinct(listed)
    initial = look.proc.in_initial_namespace()
    if initial is not True and version is not None and version < _CONTAINER_IDS and known:
        return _of_another_namespace(look, known, alone, driver)
    if not known and initial is not True and any(used.values()):
        # Some drivers list nothing to a container, whoever is there.
        why = "The driver lists no process to this container, so its size is not known."
        rows = _unsized(look, alone, why)
        return _Answer(rows, "The driver lists no process to this container." if rows else "")
    return _Answer(_listed(look, known, _why_unsized(initial, version, driver)), why_not_listed)


def _listed(look: _Look, known: Sequence[DriverProcess], why: str) -> list[GpuProcess]:
    rows = []
    checkable = look.proc.has_gpu_files()
    for entry in known:
        status = look.mine(entry.pid)
        # A process that holds no GPU device is another one that has the number by now. Where
        # device files are elsewhere, or may not be looked at, the list is all there is.
        if status is None or (checkable and look.proc.gpu_files(entry.pid) == frozenset()):
            continue
        if row := look.row(status, entry.device, entry.memory, why):
            rows.append(row)
    return rows


def _of_another_namespace(
    look: _Look, known: Sequence[DriverProcess], alone: str | None, driver: str | None
) -> _Answer:
    """The numbers are the host's: they would name wrong processes here."""
    listed = f"Driver {driver} lists processes by the host's numbers, which do not fit this container"
    holders = look.holders()
    if len(holders) == 1 and len(known) == 1:
        note = "Inferred: the driver lists one process, and this is the only one of yours that holds the GPU."
        row = look.row(holders[0], known[0].device, known[0].memory, _NO_SIZE, note)
        return _Answer([row] if row else [], f"{listed}: the only two that can belong together were matched.")
    rows = [look.row(status, alone, None, f"{listed}, so its size is not known.") for status in holders]
    return _Answer([row for row in rows if row], f"{listed}: which process holds how much is not known.")


def _unsized(look: _Look, alone: str | None, why: str) -> list[GpuProcess]:
    rows = (look.row(status, alone, None, why) for status in look.holders())
    return [row for row in rows if row]


def _distinct(listed: Sequence[DriverProcess]) -> list[DriverProcess]:
    """One entry per process and device: some drivers list one twice, once with less than it holds.
    A size of 0 is how drivers say that they do not tell: a context alone takes memory."""
    sizes: dict[tuple[int, str], int] = {}
    for entry in listed:
        key = (entry.pid, entry.device)
        sizes[key] = max(sizes.get(key, 0), entry.memory or 0)
    return [DriverProcess(pid, device, memory or None) for (pid, device), memory in sizes.items()]


def _rest(rows: Sequence[GpuProcess], used: Mapping[str, int | None]) -> tuple[int | None, str]:
    """What no row accounts for, over all devices, and what is to be said about it."""
    if not used:
        return None, ""
    unknown = sum(row.memory is None for row in rows)
    if unknown:
        of = "one process is" if unknown == 1 else f"{unknown} processes are"
        return None, f"{_NO_REST[:-1]}: the size of {of} not known."
    total = 0
    for size in used.values():
        if size is None:
            return None, "The driver does not report how much memory is in use."
        total += size
    left = total - sum(row.memory or 0 for row in rows if row.device in used)
    if left < 0:
        return 0, "Memory and processes were read one after the other: the parts may exceed the whole."
    return left, ""


def _why_unsized(initial: bool | None, version: tuple[int, int] | None, driver: str | None) -> str:
    if initial is not True and version is not None and version < _CONTAINER_SIZES:
        return f"{_NO_SIZE} Driver {driver} does not do so in a container; 565.57 and later do."
    return _NO_SIZE


def _version(text: str | None) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", text or "")
    return (int(found[1]), int(found[2])) if found else None


def _said(value: str | None) -> str:
    if value is None:
        return "not set"
    if not value:
        return "empty"
    return value if _VALUE.fullmatch(value) else "of another form"


def _seconds_since_start(proc: Proc) -> float:
    """Since the machine's start, as processes' starts are told; infinite where the two clocks do not
    fit together (sandboxes that stand in for the kernel), so that nobody is taken for a later one."""
    try:
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
    except OSError:
        return math.inf
    this = proc.status(os.getpid())
    return now if this is not None and this.started <= now else math.inf
