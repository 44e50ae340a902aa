"""What `jupyter mlinfn stop` says before it asks; it promises nothing that is not done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from jupyter_mlinfn.session.console import would_be_lost

RESCUE = {"possible": True, "reason": "", "folder": "private/rescued", "limit_bytes": 1000}
FILES = {"state": "known", "reason": "", "files": 2, "bytes": 700}


def lines(keep: bool | Sequence[str] = True, **more: Any) -> list[str]:
    answer = {
        "now": "2026-11-25T01:30:00Z",
        "resources": {"gpu": [], "cpus": None, "memory_bytes": None},
        "pages": {"known": 0, "answered": 0, "silent": 0, "asking": False, "unsaved": []},
        "running": [],
        "holders": [],
        "terminals": [],
        "files": {**FILES, "files": 0, "biggest": []},
        "rescue": RESCUE,
        **more,
    }
    return [line.strip() for line in would_be_lost(answer, keep=keep)]


def said(keep: bool | Sequence[str] = True, rescue: Mapping[str, Any] | None = RESCUE, **files: Any) -> str:
    """Of the files."""
    files = {**FILES, "biggest": [{"path": "/r/a"}, {"path": "/r/b"}], **files}
    return lines(keep, files=files, rescue=rescue)[-1]


def test_what_nobody_could_look_at_is_not_said_to_be_nothing() -> None:
    gpu = {"name": "MIG 1g.5gb", "memory_used": None, "memory_total": None}
    resources = {"gpu": [gpu], "cpus": None, "memory_bytes": None}
    found = lines(resources=resources, holders=None, terminals=None)

    assert "! What holds memory of the GPU is not known" in found
    assert "! What runs in terminals is not known" in found


def test_what_is_copied_is_said_with_its_limit() -> None:
    assert said() == "! 2 files (700 bytes) outside of what lasts are copied to private/rescued: /r/a, /r/b"
    assert "private/rescued, up to 1.0 kB: " in said(bytes=2000)


@pytest.mark.parametrize(
    ("keep", "rescue", "why"),
    [
        (False, RESCUE, "will be lost. /r/a"),
        (False, None, "will be lost. /r/a"),
        (True, {**RESCUE, "possible": False, "reason": "You have no private folder."}, "You have no private"),
        (["/r/a"], {**RESCUE, "possible": False, "reason": "You have no private folder."}, "You have no"),
        (True, {**RESCUE, "limit_bytes": 0}, "A stop copies no files here."),
        (True, None, "Whether they can be kept is not known."),
    ],
)
def test_where_nothing_is_copied_that_is_said(
    keep: bool | Sequence[str], rescue: Mapping[str, Any] | None, why: str
) -> None:
    text = said(keep, rescue)
    assert "will be lost." in text
    assert why in text
    assert "copied to" not in text


@pytest.mark.parametrize("limit", [0, 1000])
def test_of_chosen_files_only_those_are_promised(limit: int) -> None:
    assert said(["/r/b"], {**RESCUE, "limit_bytes": limit}) == (
        "! 2 files (700 bytes) will be lost, but for what is copied to private/rescued: /r/b"
    )
