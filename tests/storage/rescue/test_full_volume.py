"""Private storage that is full, of bytes or of files, is nearly so, or is read only.

The storage is a tmpfs of its own. Where it cannot be mounted, the test runs in namespaces of its own,
in which it can.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ...support.patience import PATIENCE
from .support import Ground, check_sums, files_below, left, sha256

INSIDE = "MLINFN_IN_NAMESPACE"


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def elsewhere(test: str) -> bool:
    """Whether the test was run in a namespace of its own, where file systems can be mounted."""
    if os.environ.get(INSIDE):
        return False
    unshare = ("unshare", "--user", "--map-root-user", "--mount")
    if os.geteuid() == 0 and _works("unshare", "--mount", "true"):
        unshare = ("unshare", "--mount")
    elif not _works(*unshare, "true"):
        pytest.skip("needs to mount a tmpfs: neither this user nor a namespace may")
    done = subprocess.run(
        [*unshare, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::{test}"],
        env=os.environ | {INSIDE: "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def test_what_does_not_fit_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    if elsewhere("test_what_does_not_fit_is_named_and_the_rest_is_kept"):
        return
    ground = Ground(tmp_path)
    sizes = {f"{number}": 1000 * number * number for number in range(60)}
    for name, size in sizes.items():
        (ground.root / name).write_bytes(os.urandom(size))
    with mounted(ground.private, "size=20m"):
        folder, summary = ground.rescue()

        reasons = left(summary, ground.root)
        assert 10 < len(reasons) < 50
        # The largest: of what is left each takes more than all that are kept.
        assert sorted(map(int, reasons)) == list(range(60 - len(reasons), 60))
        assert all("room" in reason for reason in reasons.values())
        assert check_sums(folder) == 60 - len(reasons)
        # The reserve is for others.
        free = os.statvfs(folder)
        assert free.f_bavail * free.f_frsize > 900_000


def test_a_volume_that_others_fill_meanwhile_leaves_nothing_half(tmp_path: Path) -> None:
    if elsewhere("test_a_volume_that_others_fill_meanwhile_leaves_nothing_half"):
        return
    ground = Ground(tmp_path)
    for number in range(40):
        (ground.root / f"{number}").write_bytes(os.urandom(3_000_000))
    with mounted(ground.private, "size=100m"):
        worker = ground.start()
        filler = ground.private / "of somebody else"
        with filler.open("wb") as out:
            try:
                while True:
                    out.write(bytes(1_000_000))
                    out.flush()
            except OSError:
                pass
        worker.communicate(timeout=PATIENCE)
        # Whether it could tell at the end or not: with room again it is told.
        filler.unlink()
        ground.run("finish")
        for folder in ground.rescued.glob("*"):
            kept = {path: file for path, file in files_below(folder) if path.isdigit()}
            assert all(sha256(file) == sha256(ground.root / path) for path, file in kept.items())
            assert check_sums(folder) == len(kept)
            rest = {path for path, _ in files_below(folder)} - set(kept)
            assert not {each for each in rest if each.startswith(".rescue-") and not each.endswith(".jsonl")}


@pytest.mark.parametrize("options", ["size=12k", "size=10m,nr_inodes=4", "size=10m,ro"])
def test_a_full_volume_is_told_and_left_as_it_was(tmp_path: Path, options: str) -> None:
    if elsewhere(f"test_a_full_volume_is_told_and_left_as_it_was[{options}]"):
        return
    ground = Ground(tmp_path)
    for number in range(30):
        (ground.root / f"{number}").write_bytes(os.urandom(10_000))
    with mounted(ground.private, options):
        answer = ground.run()
        ground.run("finish")

        if answer["type"] == "result":
            assert answer["result"]["name"] is None
            assert len(left(answer["result"]["summary"], ground.root)) == 30
        else:
            assert answer["error"]["kind"] in ("NoSpaceError", "NotAllowedError")
            assert answer["error"]["hint"]
        assert not list(files_below(ground.private))
        assert not any(ground.rescued.glob("*"))
