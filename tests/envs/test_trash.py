"""Removing in two steps, and how much came back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.trash import Trash
from jupyter_mlinfn.errors import NotFoundError

from ..support.patience import PATIENCE


def test_only_what_has_no_other_link_comes_back(tmp_path: Path) -> None:
    prefix = tmp_path / "myenv"
    (prefix / "lib").mkdir(parents=True)
    cached = tmp_path / "cached"
    cached.write_bytes(b"x" * 100_000)
    os.link(cached, prefix / "lib" / "linked")
    (prefix / "lib" / "own").write_bytes(b"y" * 50_000)
    (prefix / "lib" / "away").symlink_to(tmp_path)
    # A link to a long path has a block of its own on some file systems.
    expected = sum((prefix / "lib" / name).lstat().st_blocks * 512 for name in ("own", "away"))

    trash = Trash(tmp_path / "trash")
    cleared = trash.clear(trash.throw_away(prefix))

    assert (cleared.freed_bytes, cleared.left_files) == (expected, 0)
    assert cached.stat().st_size == 100_000
    assert list((tmp_path / "trash").iterdir()) == []


def test_it_is_out_of_sight_before_anything_is_removed(tmp_path: Path) -> None:
    prefix = tmp_path / "myenv"
    prefix.mkdir()
    (prefix / "file").write_text("here")

    target = Trash(tmp_path / "trash").throw_away(prefix)

    assert not prefix.exists()
    assert (target / "file").read_text() == "here"


def test_a_folder_without_the_write_bit_is_removed_too(tmp_path: Path) -> None:
    locked = tmp_path / "myenv" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0o500)

    trash = Trash(tmp_path / "trash")
    trash.throw_away(tmp_path / "myenv")

    assert trash.sweep().left_files == 0
    assert list((tmp_path / "trash").iterdir()) == []


def test_what_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Trash(tmp_path / "trash").throw_away(tmp_path / "myenv")


@pytest.fixture
def busy() -> Iterator[Callable[[Path], None]]:
    """Makes a folder one that cannot be removed: something is mounted on it."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def test_what_cannot_be_removed_yet_is_counted_and_goes_later(
    tmp_path: Path, busy: Callable[[Path], None]
) -> None:
    """As on NFS, where a file that a process has open keeps its folder."""
    prefix = tmp_path / "myenv"
    (prefix / "lib" / "held").mkdir(parents=True)
    (prefix / "lib" / "file").write_text("x")
    trash = Trash(tmp_path / "trash")
    target = trash.throw_away(prefix)
    busy(target / "lib" / "held")

    assert trash.clear(target).left_files == 1
    assert not (target / "lib" / "file").exists()
    subprocess.run(["umount", str(target / "lib" / "held")], check=True)

    assert trash.sweep().left_files == 0
    assert list((tmp_path / "trash").iterdir()) == []


def test_a_folder_that_cannot_be_looked_into_is_removed_too(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from jupyter_mlinfn.envs.trash import Trash
folder = Path(sys.argv[1])
if os.getuid() == 0:  # Root looks into every folder.
    os.chown(folder, 65534, 65534)
    os.chdir(folder)
    os.setuid(65534)
locked = Path("myenv/locked")
(locked / "deeper").mkdir(parents=True)
(locked / "deeper" / "file").write_text("x")
(locked / "deeper").chmod(0)
locked.chmod(0)
trash = Trash(Path("trash"))
trash.throw_away(Path("myenv"))
print(trash.sweep().left_files, os.listdir("trash"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert done.stdout.split() == ["0", "[]"], done.stderr


def test_a_process_that_ends_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    prefix = tmp_path / "myenv"
    prefix.mkdir()
    (prefix / "file").write_text("x")
    ending = Trash(tmp_path / "trash")
    ending.throw_away(prefix)
    ending.stop()

    assert ending.sweep().stopped
    assert not Trash(tmp_path / "trash").sweep().stopped
    assert list((tmp_path / "trash").iterdir()) == []
