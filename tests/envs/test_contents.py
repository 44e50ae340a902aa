"""What the records of a prefix say of it, and what they may not say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlinfn.envs.history import contents


@pytest.mark.parametrize(
    ("path", "used"),
    [
        ("lib/a", "lib/a"),
        (".hidden/a", ".hidden/a"),
        ("..a/b", "..a/b"),
        ("a..", "a.."),
        ("./lib/a", "lib/a"),
        ("lib/./a", "lib/a"),
        ("lib//a", "lib/a"),
        ("lib/a/", "lib/a"),
        ("lib/x/../a", "lib/a"),
        ("", None),
        (".", None),
        ("./", None),
        ("a/..", None),
        ("..", None),
        ("../a", None),
        ("./../a", None),
        ("a/../../b", None),
        ("/", None),
        ("/etc/passwd", None),
        ("//etc/passwd", None),
    ],
)
def test_a_path_that_leads_out_of_the_prefix_is_none(path: str, used: str | None) -> None:
    assert contents.safe(path) == used


def test_a_record_owns_nothing_outside_of_its_prefix(tmp_path: Path) -> None:
    meta = tmp_path / "env" / "conda-meta"
    meta.mkdir(parents=True)
    outside = ["../outside", "/etc/hosts", "lib/../../outside", ".."]
    record = {
        "name": "planted",
        "version": "1",
        "files": ["lib/mine", "./lib/also", *outside],
        "paths_data": {"paths": [{"_path": path, "sha256": "0" * 64} for path in ("lib/mine", *outside)]},
    }
    (meta / "planted-1-0.json").write_text(json.dumps(record))

    found = contents.read(tmp_path / "env")

    assert found.conda_files == {
        "planted-1-0.json": {
            "conda-meta/planted-1-0.json": None,
            "lib/mine": "0" * 64,
            "lib/also": None,
        }
    }
