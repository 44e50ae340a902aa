"""How much memory there is, in laid-out control groups; what a guard does."""

from __future__ import annotations

import threading
from pathlib import Path

from jupyter_mlinfn.envs.worker import memory
from jupyter_mlinfn.errors import NoSpaceError
from jupyter_mlinfn.sizes import in_words

from ..support.patience import PATIENCE

MB = 1024**2


def lay_out(root: Path, cgroup: str, files: dict[str, str], available: int = 8000 * MB) -> Path:
    for name, text in {
        "proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {available // 1024} kB\n",
        "proc/self/cgroup": cgroup,
        **files,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_tightest_limit_up_the_tree_counts(tmp_path: Path) -> None:
    base = "sys/fs/cgroup/pod"
    root = lay_out(
        tmp_path,
        "0::/pod/container\n",
        {
            f"{base}/container/memory.max": "max\n",
            f"{base}/container/memory.current": f"{500 * MB}\n",
            f"{base}/memory.max": f"{2000 * MB}\n",
            f"{base}/memory.current": f"{1500 * MB}\n",
            f"{base}/memory.stat": f"anon 1\ninactive_file {300 * MB}\nactive_file 7\n",
        },
    )
    assert memory.free_memory(root) == 800 * MB


def test_a_container_that_sees_the_hosts_path_uses_the_mounts_root(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        "0::/kubepods/far/away\n",
        {
            "sys/fs/cgroup/memory.max": f"{1000 * MB}\n",
            "sys/fs/cgroup/memory.current": f"{400 * MB}\n",
        },
    )
    assert memory.free_memory(root) == 600 * MB


def test_version_one(tmp_path: Path) -> None:
    base = "sys/fs/cgroup/memory/docker"
    root = lay_out(
        tmp_path,
        "5:cpu,cpuacct:/docker\n4:memory:/docker\n",
        {
            f"{base}/memory.limit_in_bytes": f"{1024 * MB}\n",
            f"{base}/memory.usage_in_bytes": f"{1000 * MB}\n",
            f"{base}/memory.stat": f"total_inactive_file {100 * MB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
        },
    )
    assert memory.free_memory(root) == 124 * MB


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "0::/\n", {}, available=700 * MB)
    assert memory.free_memory(root) == 700 * MB


def test_unknown_is_none(tmp_path: Path) -> None:
    assert memory.free_memory(tmp_path) is None


def test_overdrawn_is_nothing_free(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": "5\n", "sys/fs/cgroup/memory.current": "9\n"}
    assert memory.free_memory(lay_out(tmp_path, "0::/\n", files)) == 0


def test_own_memory_is_what_this_process_holds() -> None:
    before = memory.own_memory()
    block = bytearray(b"\1") * (64 * MB)
    assert 60 * MB < memory.own_memory() - before < 80 * MB
    assert len(block) == 64 * MB


def test_the_guard_ends_work_that_outgrows_its_budget() -> None:
    given_up = threading.Event()
    errors: list[NoSpaceError] = []

    def give_up(error: NoSpaceError) -> None:
        errors.append(error)
        given_up.set()

    guard = memory.MemoryGuard(memory.own_memory() + 32 * MB, give_up)
    guard.start()
    block = bytearray(b"\1") * (64 * MB)
    assert given_up.wait(PATIENCE)
    assert len(block) == 64 * MB
    assert "more memory than there is" in errors[0].message
    assert "Shut down kernels" in errors[0].hint


def test_sizes_in_words() -> None:
    assert [in_words(size) for size in (0, 999, 8_200_000, 123_456_789, 1_600_000_000)] == [
        "0 bytes",
        "999 bytes",
        "8.2 MB",
        "123 MB",
        "1.6 GB",
    ]
