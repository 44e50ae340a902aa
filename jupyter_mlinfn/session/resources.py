"""What this server has: processors and memory, by its control group or else the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resources:
    """None is not known."""

    cpus: float | None = None
    memory_bytes: int | None = None


def read(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Resources:
    """The tightest limits of this process's control group and those above it, and what the machine has.

    Blocks for a moment: nothing of it lies on a disk. Version 1 and 2:
    https://docs.kernel.org/admin-guide/cgroup-v1/ (cpu.cfs_quota_us: scheduler/sched-bwc.html),
    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, memory.max).

    Args:
        groups: where control groups are mounted.
    """
    cpus, memory = [float(len(os.sched_getaffinity(0)))], []
    with suppress(OSError, ValueError):
        memory.append(_of_machine(proc))
    for kind, folder in _folders(proc, groups):
        if kind in ("", "cpu") and (quota := _processors(folder)) is not None:
            cpus.append(quota)
        if kind in ("", "memory") and (limit := _memory(folder)) is not None:
            memory.append(limit)
    return Resources(min(cpus), min(memory, default=None))


def _folders(proc: Path, groups: Path) -> Iterator[tuple[str, Path]]:
    """The process's groups and those above, with the controller; empty for version 2.

    In a container the own group is mounted at the top, and the path in ``/proc/self/cgroup`` may be one
    of the host that is not there: then the top is looked at.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        kind = next((each for each in ("cpu", "memory") if each in names), None) if controllers else ""
        if kind is None:
            continue
        tops = [groups / controllers, groups / kind] if kind else [groups, groups / "unified"]
        top = next((each for each in tops if each.is_dir()), groups)
        own = top / path.lstrip("/")
        while own != top and top in own.parents:
            yield kind, own
            own = own.parent
        yield kind, top


def _processors(folder: Path) -> float | None:
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        share = int((folder / "cpu.cfs_quota_us").read_text())
        return None if share <= 0 else share / int((folder / "cpu.cfs_period_us").read_text())
    return None


def _memory(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        # "max" is no number; without a limit, version 1 has one beyond all machines.
        with suppress(OSError, ValueError):
            return int((folder / name).read_text())
    return None


def _of_machine(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no MemTotal in /proc/meminfo")
