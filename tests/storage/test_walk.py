"""Files as users have them: odd names, loops, sockets, what may not be read and what vanishes."""

from __future__ import annotations

import json
import os
import pickle
import socket
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from jupyter_mlinfn.storage import walk as walking
from jupyter_mlinfn.storage.walk import Plan, Skipped, problem, walk

OLD = 1_000_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = (tmp_path / "root").resolve()
    root.mkdir()
    return root


def plan(root: Path, *, borders: Sequence[str] = (), regions: Sequence[str] = (), **more: object) -> Plan:
    tops = [str(root), *(f"{root}/{each}" for each in regions)]
    ends = [f"{root}/{each}" for each in (*borders, *regions)]
    return Plan([str(root)], tops, ends, **more)  # type: ignore[arg-type]


def found(plan: Plan, *paths: str, skipped: Skipped | None = None) -> list[str]:
    files = list(walk(plan, [f"{plan.bases[0]}/{each}".rstrip("/") for each in paths] or None, skipped))
    assert all(each.path == f"{each.base}/{each.relative}" for each in files)
    return sorted(each.relative for each in files)


def write(root: Path, *names: str, age: float | None = None) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))
        if age is not None:
            os.utime(root / name, (age, age))


def test_odd_names_come_as_they_are(root: Path) -> None:
    names = ["a\nb", " blank ", "é", "-rf", "a" * 255, "$(x)", "'", os.fsdecode(b"\xff\xfe")]
    write(root, *names, "deep/er/x")

    assert found(plan(root)) == sorted([*names, "deep/er/x"])
    # Also through JSON, which the worker is asked by.
    assert json.loads(json.dumps(names)) == names


def test_links_sockets_and_pipes_are_files_and_none_is_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, "secret")
    (root / "loop").symlink_to(root)
    (root / "out").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert found(plan(root)) == ["dangling", "loop", "out", "pipe", "socket"]
    assert found(plan(root), "out") == ["out"]
    assert problem(plan(root), f"{root}/out/secret")


def test_a_folder_that_becomes_a_link_while_it_waits_is_not_entered(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside", "secret")
    write(root, "first/file", "second/file")
    skipped = Skipped()
    seen = []
    for each in walk(plan(root), None, skipped):
        seen.append(each.relative)
        other = root / ("second" if each.relative.startswith("first") else "first")
        if not other.is_symlink() and len(seen) == 1:
            (other / "file").unlink()
            other.rmdir()
            other.symlink_to(tmp_path / "outside")

    assert len(seen) == 1
    assert skipped.unreadable == 1


def test_what_vanishes_is_counted_and_the_rest_goes_on(root: Path) -> None:
    write(root, "a/x", "b/x")
    skipped = Skipped()
    seen = []
    for each in walk(plan(root), None, skipped):
        seen.append(each.relative)
        for name in ("a", "b"):
            if not each.relative.startswith(name):
                (root / name / "x").unlink()
                (root / name).rmdir()

    assert len(seen) == 1
    assert (skipped.vanished, skipped.unreadable) == (1, 0)


def test_what_may_not_be_read_is_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "open/x", "closed/x")
    # Root may read everything: the refusal is the kernel's for others.
    opened = os.open

    def refusing(path: str, *more: object, **others: object) -> int:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *more, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refusing)
    skipped = Skipped()

    assert found(plan(root), skipped=skipped) == ["open/x"]
    assert (skipped.unreadable, skipped.vanished) == (1, 0)


def test_only_what_was_made_or_changed_since(root: Path) -> None:
    write(root, "old", "touched", "moved-here", age=OLD)
    now = time.time()
    before = plan(root, since=now - 60)
    after = plan(root, since=now + 60)

    # An old time that somebody gave a file of today (tar, cp -p) does not hide it: its ctime tells.
    assert found(before) == ["moved-here", "old", "touched"]
    assert found(after) == []
    os.utime(root / "touched", (now + 90, now + 90))
    assert found(after) == ["touched"]
    # A file that somebody names is meant, however old it is.
    assert found(after, "old") == ["old"]


def test_borders_are_not_crossed_and_regions_beyond_them_are_seen(root: Path) -> None:
    write(root, "a", "lasts/b", "lasts/tmpfs/c", "lasts/tmpfs/deep/d", "mounted-file")
    seen = plan(root, borders=["lasts", "mounted-file"], regions=["lasts/tmpfs"])

    assert found(seen) == ["a", "lasts/tmpfs/c", "lasts/tmpfs/deep/d"]
    assert found(seen, "") == ["a", "lasts/tmpfs/c", "lasts/tmpfs/deep/d"]
    assert found(seen, "lasts") == ["lasts/tmpfs/c", "lasts/tmpfs/deep/d"]
    assert found(seen, "lasts/tmpfs/deep") == ["lasts/tmpfs/deep/d"]
    assert found(seen, "lasts/b", "mounted-file") == []


def test_a_single_file_may_be_a_region(root: Path) -> None:
    write(root, "a", "lasts/mounted")
    skipped = Skipped()

    assert found(plan(root, borders=["lasts"], regions=["lasts/mounted"]), skipped=skipped) == [
        "a",
        "lasts/mounted",
    ]
    assert skipped.unreadable == 0


def test_what_is_named_twice_comes_once(root: Path) -> None:
    write(root, "a/b/c", "a/d", "ab")

    assert found(plan(root), "a", "a/b", "a/b/c", "ab", "a") == ["a/b/c", "a/d", "ab"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("relative", "absolute"),
        ("{root}/a\0b", "absolute"),
        ("{root}/missing", "not there"),
        ("{root}/lasts/b", "lasts"),
        ("{root}/../elsewhere", "neither"),
        ("/etc/passwd", "neither"),
        ("{root}-not", "neither"),
        ("{root}/out/secret", "neither"),
        ("{root}/a", ""),
        ("{root}/folder/../a", ""),
        ("{root}", ""),
        ("{root}/lasts/tmpfs", ""),
    ],
)
def test_what_may_be_chosen(root: Path, tmp_path: Path, path: str, words: str) -> None:
    write(root, "a", "folder/x", "lasts/b", "lasts/tmpfs/c")
    write(tmp_path, "elsewhere", "root-not", "outside/secret")
    (root / "out").symlink_to(tmp_path / "outside")
    seen = plan(root, borders=["lasts"], regions=["lasts/tmpfs"])
    told = problem(seen, path.format(root=root))

    assert words in told if words else told == ""
    if words:
        assert list(walk(seen, [path.format(root=root)])) == []


def test_what_is_left_out_by_rule(root: Path) -> None:
    write(root, "a.py", "a.tmp", "__pycache__/x", "deep/__pycache__/y", "deep/b.py", "jupyter/own")
    write(root, "env/conda-meta/history", "env/bin/python", "venv/pyvenv.cfg", "venv/lib/x")
    write(root, "cache/CACHEDIR.TAG", "cache/x")
    skipped = Skipped()
    ruled = plan(root, ignored=["*.tmp", "__pycache__"], ignored_folders=[f"{root}/jupyter"])

    assert found(ruled, skipped=skipped) == ["a.py", "deep/b.py"]
    assert skipped.ignored == 8
    # Who names a folder means it.
    assert found(ruled, "env") == ["env/bin/python", "env/conda-meta/history"]


@pytest.mark.parametrize("more", [0, walking._FIRST])
def test_work_in_the_folder_of_an_environment_is_work(root: Path, more: int) -> None:
    write(root, "work/pyvenv.cfg", "work/bin/python", "work/lib/x", "work/fit.ipynb", "work/data/a.root")
    write(root, *(f"work/include/{number}" for number in range(more)))
    write(root, *(f"work/bin-{number}" for number in range(more)))

    assert [each for each in found(plan(root)) if "bin-" not in each] == [
        "work/data/a.root",
        "work/fit.ipynb",
    ]


def test_the_mark_of_a_folder_with_many_files_is_seen(root: Path) -> None:
    write(root, "env/conda-meta/history", *(f"env/file-{number}" for number in range(walking._FIRST + 200)))
    skipped = Skipped()

    assert found(plan(root), skipped=skipped) == []
    assert skipped.ignored == 1


def test_folders_come_whole_one_after_the_other(root: Path) -> None:
    write(root, *(f"{top}/{deep}/{name}" for top in "abc" for deep in "xyz" for name in "12"))
    tops = [each.relative[0] for each in walk(plan(root))]

    assert len(tops) == 18
    assert sum(one != other for one, other in pairwise(tops)) == 2


def test_a_file_is_told_relative_to_the_root_before_the_home(tmp_path: Path) -> None:
    home = tmp_path.resolve() / "home"
    write(home, "work/a", "b")
    both = Plan([f"{home}/work", str(home)], [str(home)], [])

    assert sorted((each.base, each.relative) for each in walk(both)) == [
        (str(home), "b"),
        (f"{home}/work", "a"),
    ]


def test_a_plan_travels(root: Path) -> None:
    sent = plan(root, since=1.5, ignored=["*.tmp"], borders=["x"], ignored_folders=["/y"])

    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301 - our own
    assert Plan.from_json(json.loads(json.dumps(sent.to_json()))) == sent
