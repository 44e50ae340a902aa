"""Private storage that is full, of bytes or of files, is nearly so, or is read only."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from ...support import command
from ...support.nursery import REPOSITORY
from ...support.patience import wait_for
from .full_volume import NOT_ALLOWED


def seen(case: str, *arguments: str) -> dict[str, Any]:
    """What the program of that name saw."""
    done = command.run(case, *arguments, module="tests.storage.rescue.full_volume", cwd=REPOSITORY)
    if done.returncode == NOT_ALLOWED:
        pytest.skip(f"neither this user nor a namespace may mount a tmpfs: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_what_does_not_fit_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    told = seen("too_small", str(tmp_path))

    reasons = told["left"]
    assert 10 < len(reasons) < 50
    # The largest: of what is left each takes more than all that are kept.
    assert sorted(map(int, reasons)) == list(range(60 - len(reasons), 60))
    assert all("room" in reason for reason in reasons.values())
    assert told["right"] == 60 - len(reasons)
    # The reserve is for others.
    assert told["free"] > 900_000


@pytest.mark.parametrize("spare", ["0", "300000"])
def test_a_volume_that_others_fill_meanwhile_leaves_nothing_half(tmp_path: Path, spare: str) -> None:
    # A copy that ended before others had filled the volume tells nothing of this.
    turns = itertools.count()
    told = wait_for(
        lambda: (
            (one := seen("filled_meanwhile", str(tmp_path / f"{next(turns)}"), spare))["was_at_work"] and one
        )
    )

    assert told["wrong"] == []
    assert told["right"] == told["kept"] < 40
    assert [
        each for each in told["rest"] if each.startswith(".rescue-") and not each.endswith(".jsonl")
    ] == []
    if spare != "0":
        # There was room for the journal: what was whole is kept.
        assert told["kept"]


@pytest.mark.parametrize("options", ["size=12k", "size=10m,nr_inodes=4", "size=10m,ro"])
def test_a_full_volume_is_told_and_left_as_it_was(tmp_path: Path, options: str) -> None:
    told = seen("full", str(tmp_path), options)

    answer = told["answer"]
    if answer["type"] == "result":
        assert answer["result"]["name"] is None
        assert len(told["left"]) == 30
    else:
        assert answer["error"]["kind"] in ("NoSpaceError", "NotAllowedError")
        assert answer["error"]["hint"]
    assert told["files"] == []
    assert told["folders"] == []
