"""What a simulated driver tells. Memory: bytes; clocks: MHz; temperature: °C; power: mW; None: not reported.

What a real one tells an unprivileged container under MIG is the default: the board's own memory and
processes are refused, its utilisation is not supported, its temperature, power and clocks are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

Access = Literal["readable", "listed", "hidden"]
"""listed: it has a handle, a name and a UUID, but its memory and processes are refused; hidden: not found."""

ProcessKind = Literal["compute", "graphics", "mps"]


class Code(IntEnum):
    """Return codes of NVML that a fault may give: https://docs.nvidia.com/deploy/nvml-api/"""

    SUCCESS = 0
    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    DRIVER_NOT_LOADED = 9
    TIMEOUT = 10
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    OPERATING_SYSTEM = 17
    LIB_RM_VERSION_MISMATCH = 18
    NOT_READY = 27
    UNKNOWN = 999


@dataclass(frozen=True)
class Process:
    """A process that holds memory of a device; several with one id are duplicate entries of the driver.

    Attributes:
        memory: None where the driver does not know it.
        real: the id is of a process on this machine, and the entry goes, with its memory, when it exits.
    """

    pid: int
    memory: int | None
    kind: ProcessKind = "compute"
    real: bool = False


@dataclass(frozen=True)
class Mig:
    """A MIG instance.

    Attributes:
        slot: its index on the board.
        gi, ci: ids of GPU instance and compute instance.
        memory_used: beside what the processes hold, whose memory is added to it.
        memory_reserved: by the driver: part of `memory_total`, neither used nor free.
        slices, compute_slices: of the GPU instance and the compute instance.
        gpm_utilization: per cent; told on boards with GPM.
        status: a code that every call on it answers with.
    """

    slot: int
    uuid: str
    gi: int
    ci: int
    profile: str
    memory_total: int
    memory_used: int = 0
    memory_reserved: int = 0
    sm_count: int = 14
    slices: int = 1
    compute_slices: int = 1
    processes: Sequence[Process] = ()
    access: Access = "readable"
    gpm_utilization: int | None = None
    status: int = Code.SUCCESS


@dataclass(frozen=True)
class Board:
    """A board, divided where it has `migs` or `mig` says so.

    Attributes:
        memory_used: beside what processes and MIG instances hold, whose memory is added to it.
        mig: whether it is divided; None: whether it has `migs`, and not supported with `mig_capable` False.
        access: None: listed where it is divided, readable else.
        status: a code that every call on it and on its instances answers with: `Code.GPU_IS_LOST`.
        ecc_errors: uncorrected ones.
        utilization, memory_utilization: per cent; not told while it is divided.
        gpm_apart: how far apart two samples of GPM must be to give a figure; milliseconds.
    """

    uuid: str
    name: str
    memory_total: int
    memory_used: int = 0
    memory_reserved: int = 0
    migs: Sequence[Mig] = ()
    mig: bool | None = None
    mig_capable: bool = True
    max_migs: int = 7
    processes: Sequence[Process] = ()
    access: Access | None = None
    status: int = Code.SUCCESS
    bus: str = "00000000:3B:00.0"
    serial: str = ""
    minor: int | None = None
    compute_capability: tuple[int, int] = (8, 0)
    temperature: int | None = 38
    power: int | None = 61_000
    power_limit: int | None = 250_000
    fan: int | None = None
    performance_state: int | None = 0
    sm_clock: int | None = 1410
    memory_clock: int | None = 1215
    max_sm_clock: int | None = 1410
    max_memory_clock: int | None = 1215
    ecc: bool | None = True
    ecc_errors: int | None = 0
    utilization: int | None = 0
    memory_utilization: int | None = 0
    gpm: bool = False
    gpm_apart: int = 100
    gpm_utilization: int | None = None

    @property
    def divided(self) -> bool:
        return bool(self.migs) if self.mig is None else self.mig


@dataclass(frozen=True)
class Fault:
    """A function that fails.

    Attributes:
        function: a name; without its version (`_v2`) it means all versions, `nvmlInit` every way to
            initialise, and `*` every function.
        device: UUID of the only device that it fails on; None for any, and for calls without a device.
        first_call: it fails from this call on, counted per process since the state was written.
    """

    function: str
    code: int
    device: str | None = None
    first_call: int = 1


@dataclass(frozen=True)
class Driver:
    """All that the driver tells.

    Attributes:
        cuda: newest version of CUDA that it supports.
        generation: another number is a driver that was restarted: callers must initialise again.
        hangs: how long calls of a function take more (seconds; infinite: until the state is written again
            without it). Names are as in `Fault`.
        hang_code: what a call that hung returns; with SUCCESS it goes on as if nothing was.
    """

    version: str = "570.86.15"
    cuda: str = "12.8"
    boards: Sequence[Board] = ()
    faults: Sequence[Fault] = ()
    hangs: Mapping[str, float] = field(default_factory=dict)
    hang_code: int = Code.SUCCESS
    generation: int = 1
