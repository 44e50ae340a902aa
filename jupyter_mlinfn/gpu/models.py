"""What the room `gpu` speaks of. Sizes: bytes; times: seconds since the epoch; None: not reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

DeviceKind = Literal["gpu", "mig"]
Severity = Literal["ok", "info", "warn", "error"]
ProgramKind = Literal["notebook", "console", "kernel", "terminal"]
OwnerKind = Literal["notebook", "console", "kernel", "terminal", "other"]


@dataclass(frozen=True)
class Board:
    """A whole GPU as the driver lists it; others may share it.

    Attributes:
        index: NVML's.
        mig: whether it is divided into MIG instances.
        slices: compute slices that the whole board has; None without MIG.
    """

    index: int
    uuid: str
    name: str
    mig: bool
    slices: int | None = None


@dataclass(frozen=True)
class Device:
    """What a user may hold: a whole GPU or one MIG instance.

    Attributes:
        slot: of a MIG instance, NVML's index on its board.
        gi, ci: ids of GPU instance and compute instance.
        profile: as nvidia-smi names it: ``1g.5gb``.
        slices: GPU slices of the MIG instance.
        memory_total: as far as the driver told at the first look.
    """

    uuid: str
    kind: DeviceKind
    board: Board
    slot: int | None = None
    gi: int | None = None
    ci: int | None = None
    profile: str | None = None
    sm_count: int | None = None
    slices: int | None = None
    memory_total: int | None = None


@dataclass(frozen=True)
class Memory:
    """One reading of a device's memory."""

    total: int
    used: int
    free: int
    reserved: int | None


@dataclass(frozen=True)
class BoardReading:
    """The whole board's figures: °C, W, MHz."""

    temperature: int | None = None
    power: float | None = None
    power_limit: float | None = None
    sm_clock: int | None = None
    memory_clock: int | None = None
    ecc: bool | None = None
    ecc_errors: int | None = None


@dataclass(frozen=True)
class Sample:
    """A point of the history.

    Attributes:
        seq: grows by one with each sample of this server.
        time: seconds since the epoch.
        utilisation: per cent.
    """

    seq: int
    time: float
    device: str
    used: int | None
    utilisation: float | None


@dataclass(frozen=True)
class DriverProcess:
    """A process as the driver lists it: the id may be of another PID namespace."""

    pid: int
    device: str
    memory: int | None


@dataclass(frozen=True)
class Program:
    """What a user runs in this server, with the process at its root."""

    kind: ProgramKind
    id: str
    pid: int | None
    title: str
    path: str | None
    busy: bool = False


@dataclass(frozen=True)
class Owner:
    """Whom a process belongs to."""

    kind: OwnerKind
    id: str | None
    title: str
    path: str | None


@dataclass(frozen=True)
class GpuProcess:
    """A process of the user's that holds, or may hold, memory of a device.

    Attributes:
        pid: as this server sees it.
        memory_note: why `memory` is None.
    """

    pid: int
    device: str | None
    memory: int | None
    command: str
    owner: Owner
    memory_note: str = ""
    note: str = ""


@dataclass(frozen=True)
class Processes:
    """Who holds the memory, as far as it can be told.

    Attributes:
        other: used memory that no row accounts for; None where that cannot be told.
        note: which part is not known, and why.
    """

    list: Sequence[GpuProcess] = field(default_factory=tuple)
    other: int | None = None
    note: str = ""
    time: float | None = None


@dataclass(frozen=True)
class Selection:
    """Which of the devices that the driver lists are the user's.

    Attributes:
        source: what says so: ``CUDA_VISIBLE_DEVICES``, ``NVIDIA_VISIBLE_DEVICES``, ``driver``; None
            where there is none.
        ambiguous: several are left and nothing tells which is meant.
        note: a sentence for the user; empty where there is nothing to say.
        missing: whether more devices are named than the driver lists.
    """

    devices: Sequence[Device]
    source: str | None
    ambiguous: bool = False
    note: str = ""
    missing: bool = False
