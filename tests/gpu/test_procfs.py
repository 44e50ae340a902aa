"""Looks at processes, on real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.gpu.procfs import Proc

from ..support.patience import PATIENCE

PROC = Path("/proc")
DEV = Path("/dev")


def look(dev: Path = DEV) -> Proc:
    return Proc(PROC, dev)


def test_what_is_known_of_this_process() -> None:
    status = look().status(os.getpid())
    assert status is not None
    assert (status.parent, status.group, status.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - status.started
    assert 0 < age < 24 * 3600
    assert look().user(os.getpid()) == os.geteuid()
    assert look().environment(os.getpid()).get("PATH")
    assert os.getpid() in look().pids()


def test_a_process_that_is_gone_is_no_error() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    proc = look()
    assert proc.status(child.pid) is None
    assert proc.user(child.pid) is None
    assert proc.arguments(child.pid) == []
    assert proc.environment(child.pid) == {}
    assert proc.gpu_files(child.pid) is None


def test_a_process_that_has_ended_and_is_still_listed_is_none() -> None:
    child = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert (PROC / str(child.pid)).exists()
        assert look().status(child.pid) is None
    finally:
        child.wait()


def test_a_name_with_brackets_does_not_shift_the_fields(tmp_path: Path) -> None:
    tool = tmp_path / "a) R (b"
    tool.symlink_to("/bin/sleep")
    child = subprocess.Popen([tool, "6000"])
    try:
        status = look().status(child.pid)
        assert status is not None
        assert (status.name, status.parent) == ("a) R (b", os.getpid())
    finally:
        child.kill()
        child.wait()


def test_another_process_with_the_number_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    folder.mkdir()
    fields = ["S", "1", "42", "42", *["0"] * 15, "1000"]
    (folder / "stat").write_text(f"42 (x) {' '.join(fields)}")
    proc = Proc(tmp_path, DEV)
    status = proc.status(42)
    assert status is not None
    assert proc.still(status)
    fields[-1] = "2000"
    (folder / "stat").write_text(f"42 (x) {' '.join(fields)}")
    assert not proc.still(status)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("nvidia0", True),
        ("nvidia-uvm", True),
        ("nvidia-caps/nvidia-cap12", True),
        ("nvidiactl", False),
        ("nvidia-uvm-tools", False),
        ("nvidia0.log", False),
    ],
)
def test_device_files_that_are_held_open(tmp_path: Path, name: str, counts: bool) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    with (tmp_path / name).open("w"):
        held = look(tmp_path).gpu_files(os.getpid())
        elsewhere = look(tmp_path / "elsewhere").gpu_files(os.getpid())
    assert held == (frozenset({Path(name).name if "caps" not in name else name}) if counts else frozenset())
    # A file of the user's that is only called so is no device.
    assert elsewhere == frozenset()


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device file takes root")
def test_a_device_of_another_path_is_one(tmp_path: Path) -> None:
    node = tmp_path / "nvidia0"
    try:
        os.mknod(node, 0o600 | 0o020000, os.makedev(1, 3))
        with node.open("w"):
            assert look().gpu_files(os.getpid()) == {"nvidia0"}
    except PermissionError as error:
        pytest.skip(f"no device files may be made or opened here: {error}")


def test_this_namespace_and_another() -> None:
    here = look().in_initial_namespace()
    assert here is (str(Path("/proc/self/ns/pid").readlink()) == "pid:[4026531836]")
    inside = subprocess.run(
        [
            *("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c"),
            "from pathlib import Path; from jupyter_mlinfn.gpu.procfs import Proc;"
            "print(Proc(Path('/proc'), Path('/dev')).in_initial_namespace())",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if "unshare:" in inside.stderr:
        pytest.skip(f"no PID namespace can be made here: {inside.stderr}")
    assert inside.returncode == 0, inside.stderr
    assert inside.stdout.split() == ["False"]


def test_a_namespace_that_cannot_be_told(tmp_path: Path) -> None:
    assert Proc(tmp_path, DEV).in_initial_namespace() is None
