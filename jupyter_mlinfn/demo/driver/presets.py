"""Hardware as it is found on real machines."""

from __future__ import annotations

from collections.abc import Mapping

from .models import Access, Board, Driver, Mig, Process

_GIB = 1024**3
_MIB = 1024**2

A100_UUID = "GPU-3f6d2a1c-58b7-4e0d-9c41-7a25d0b9e613"
A100_SLICE_UUID = "MIG-c7a4f0de-1b52-5d8e-8f3a-90d6b2e4715c"
"""The user's slice of `a100_mig()`."""

H100_UUID = "GPU-a90e4c77-2d13-4b6f-b8e5-164fc03a9d52"
H100_SLICE_UUID = "MIG-5e08b3d9-6f41-57c2-a1d0-3b97e8c4f62a"

_A100_SLOTS = ((0, 7), (1, 8), (2, 9), (3, 11), (4, 12), (5, 13), (6, 14))
"""Slot and GPU instance of seven 1g.5gb, as the driver numbers them."""


def a100_mig(
    pid_memory: Mapping[int, int | None] | None = None,
    *,
    real: bool = False,
    slot: int = 3,
    others: Access = "hidden",
) -> Driver:
    """An A100-PCIE-40GB that is divided into seven 1g.5gb, of which the user has one.

    Args:
        pid_memory: processes on the user's slice and the memory that each holds.
        real: they are processes of this machine, and go when they exit.
        slot: of the user's slice.
        others: what the driver tells of the other six: nothing (an unprivileged container), that they
            are there, or all (a privileged one, which may read the board too).
    """
    migs = [
        Mig(
            slot=index,
            uuid=A100_SLICE_UUID if index == slot else f"MIG-00000000-0000-5000-8000-00000000000{index}",
            gi=gi,
            ci=0,
            profile="1g.5gb",
            memory_total=4864 * _MIB,
            memory_used=13 * _MIB,
            memory_reserved=0,
            sm_count=14,
            processes=_processes(pid_memory, real) if index == slot else (),
            access="readable" if index == slot else others,
        )
        for index, gi in _A100_SLOTS
    ]
    board = Board(
        uuid=A100_UUID,
        name="NVIDIA A100-PCIE-40GB",
        memory_total=40960 * _MIB,
        memory_reserved=424 * _MIB,
        migs=migs,
        access="readable" if others == "readable" else None,
    )
    return Driver(boards=[board])


def full_gpu(pid_memory: Mapping[int, int | None] | None = None, *, real: bool = False) -> Driver:
    """A whole A100-PCIE-40GB, which tells its utilisation."""
    board = Board(
        uuid=A100_UUID,
        name="NVIDIA A100-PCIE-40GB",
        memory_total=40960 * _MIB,
        memory_used=3 * _MIB,
        memory_reserved=424 * _MIB,
        processes=_processes(pid_memory, real),
        utilization=37,
        memory_utilization=12,
    )
    return Driver(boards=[board])


def h100_mig(
    pid_memory: Mapping[int, int | None] | None = None, *, real: bool = False, utilization: int | None = 42
) -> Driver:
    """An H100 of 80 GiB with one 1g.10gb, whose utilisation GPM tells in per cent."""
    mig = Mig(
        slot=2,
        uuid=H100_SLICE_UUID,
        gi=9,
        ci=0,
        profile="1g.10gb",
        memory_total=9984 * _MIB,
        memory_used=15 * _MIB,
        sm_count=16,
        processes=_processes(pid_memory, real),
        gpm_utilization=utilization,
    )
    board = Board(
        uuid=H100_UUID,
        name="NVIDIA H100 PCIe",
        memory_total=80 * _GIB,
        memory_reserved=640 * _MIB,
        migs=[mig],
        compute_capability=(9, 0),
        power_limit=350_000,
        sm_clock=1755,
        max_sm_clock=1755,
        memory_clock=1593,
        max_memory_clock=1593,
        gpm=True,
        gpm_utilization=17,
    )
    return Driver(boards=[board])


def _processes(pid_memory: Mapping[int, int | None] | None, real: bool) -> list[Process]:
    return [Process(pid, memory, real=real) for pid, memory in (pid_memory or {}).items()]
