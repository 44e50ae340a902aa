"""Cores and memory as control groups of both versions limit them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from jupyter_mlinfn.session.resources import Resources, read

GIB = 1024**3
CORES = float(len(os.sched_getaffinity(0)))
NO_LIMIT = "9223372036854771712\n"


def machine(folder: Path, groups: str, files: Mapping[str, str]) -> Resources:
    """What is read on a machine with 64 GiB and these control groups."""
    proc, mounted = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(groups)
    (proc / "meminfo").write_text(f"MemTotal:       {64 * GIB // 1024} kB\nMemFree: 1 kB\n")
    mounted.mkdir()
    for name, text in files.items():
        (mounted / name).parent.mkdir(parents=True, exist_ok=True)
        (mounted / name).write_text(text)
    return read(proc, mounted)


@pytest.mark.parametrize(
    ("groups", "files", "cpus", "memory"),
    [
        pytest.param(
            "0::/\n",
            {"cpu.max": "50000 100000\n", "memory.max": f"{8 * GIB}\n"},
            0.5,
            8,
            id="v2, a container",
        ),
        pytest.param(
            "0::/slurm/job/step\n",
            {
                "slurm/job/step/memory.max": "max\n",
                "slurm/job/memory.max": f"{4 * GIB}\n",
                "slurm/job/cpu.max": "25000 100000\n",
                "slurm/memory.max": f"{32 * GIB}\n",
                "slurm/cpu.max": "max 100000\n",
            },
            0.25,
            4,
            id="v2, the limit is of a group above",
        ),
        pytest.param(
            "0::/kubepods/pod1/of-the-host\n",
            {"cpu.max": "50000 100000\n", "memory.max": f"{2 * GIB}\n"},
            0.5,
            2,
            id="v2, the path is the host's",
        ),
        pytest.param(
            "4:memory:/\n3:cpu,cpuacct:/\n1:name=systemd:/\n",
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": f"{3 * GIB}\n",
            },
            0.5,
            3,
            id="v1",
        ),
        pytest.param(
            "4:memory:/\n3:cpu,cpuacct:/\n",
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": NO_LIMIT,
            },
            CORES,
            64,
            id="v1, no limits",
        ),
        pytest.param("0::/\n", {}, CORES, 64, id="no limits"),
        pytest.param("0::/\n", {"cpu.max": "rubbish", "memory.max": "rubbish"}, CORES, 64, id="rubbish"),
        pytest.param("0::/\n", {"memory.max": f"{1024 * GIB}\n"}, CORES, 64, id="more than there is"),
    ],
)
def test_the_tightest_limit_counts(
    tmp_path: Path, groups: str, files: Mapping[str, str], cpus: float, memory: int
) -> None:
    assert machine(tmp_path, groups, files) == Resources(cpus, memory * GIB)


def test_what_is_not_known_is_not_zero(tmp_path: Path) -> None:
    assert read(tmp_path / "proc", tmp_path / "cgroup") == Resources(CORES, None)


def test_this_machine_has_something() -> None:
    found = read()

    assert found.cpus
    assert found.memory_bytes
    assert found.memory_bytes > 100_000_000
