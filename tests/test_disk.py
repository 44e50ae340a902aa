"""What is said when a disk is full: how much is missing, as far as it is known."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mlinfn import disk
from jupyter_mlinfn.disk import Need
from jupyter_mlinfn.errors import NoSpaceError, from_os_error

MB = 1_000_000


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk with 2 MB and 100 files left; what is asked of it must be there."""

    def statvfs(path: Any) -> SimpleNamespace:
        assert Path(path).exists()
        return SimpleNamespace(f_bavail=2 * MB // 1000, f_frsize=1000, f_favail=100, f_files=5000)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return tmp_path


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Need(5 * MB), "It needs about 3.0 MB more (5.0 MB in all, 2.0 MB are free)"),
        (Need(MB, 1300), "It needs about 1,200 files more (1,300 in all, 100 are left)"),
        (Need(5 * MB, 1300), "3.0 MB more (5.0 MB in all, 2.0 MB are free) and about 1,200 files more"),
        (
            Need(MB, 10),
            "2.0 MB and room for 100 files are free on the disk of {folder}; about 1.0 MB are needed",
        ),
        (None, "2.0 MB and room for 100 files are free on the disk of {folder}."),
    ],
)
def test_the_amount_is_told(storage: Path, need: Need | None, told: str) -> None:
    folder = storage / "not" / "made" / "yet"
    said = disk.missing(folder, need)
    assert told.format(folder=folder) in said
    assert str(folder) in said


def test_without_a_limit_on_files_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(f_bavail=2, f_frsize=MB, f_favail=0, f_files=0)
    monkeypatch.setattr(os, "statvfs", lambda path: answer)
    assert disk.free(tmp_path) == (2 * MB, None)
    assert disk.missing(tmp_path, Need(MB, 10**6)).startswith("2.0 MB are free")


def test_storage_that_does_not_answer_says_nothing_of_amounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statvfs(path: Any) -> Any:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert disk.missing(tmp_path, Need(1)) == ""
    assert disk.full(tmp_path, Need(1)) == "The disk is full: no space, or no room for more files."


def test_an_error_of_the_system_tells_of_the_disk_of_its_file(storage: Path) -> None:
    file = storage / "a" / "file"
    error = from_os_error("It failed.", OSError(errno.ENOSPC, "No space left on device", str(file)))
    assert isinstance(error, NoSpaceError)
    assert f"2.0 MB and room for 100 files are free on the disk of {file.parent}." in str(error.reason)
    quota = from_os_error("It failed.", OSError(errno.EDQUOT, "Disk quota exceeded"), storage, Need(5 * MB))
    assert str(quota.reason).startswith("Your quota is used up. It needs about 3.0 MB more")
