"""Removing in two steps, and how much came back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.trash import Trash
from jupyter_mlinfn.errors import NotFoundError


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
