"""What a walk finds and what is reckoned from it, with real hard links; forgetting and clearing."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.envs.history.layout import History, sealed, write_json
from jupyter_mlinfn.envs.marker import Marker, write_marker
from jupyter_mlinfn.envs.space import clean
from jupyter_mlinfn.envs.space.inventory import Inventory, KeptRevision
from jupyter_mlinfn.envs.space.measure import measure, stamps
from jupyter_mlinfn.envs.worker.cache_guard import IN_USE, INSTALLING
from jupyter_mlinfn.envs.worker_process import WorkerProcess

MB = 1_000_000


class Volume:
    """A folder of environments, with a cache, revisions and wheels, as we lay them out."""

    def __init__(self, folder: Path) -> None:
        self.environments = folder / "environments"
        self.state = self.environments / ".mlinfn"
        self.cache = self.state / "pkgs"
        self.trash = self.state / "trash"
        self.cache.mkdir(parents=True)

    def package(self, stem: str, size: int = MB) -> Path:
        """A cached package of one file; gives the file."""
        folder = self.cache / stem
        (folder / "info").mkdir(parents=True)
        (folder / "info" / "index.json").write_text("{}")
        (self.cache / f"{stem}.lock").write_bytes(b"x" * 40)
        file = folder / "file"
        file.write_bytes(os.urandom(size))
        return file

    def environment(self, name: str, *stems: str) -> Path:
        """One that has these packages, linked."""
        prefix = self.environments / name
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / "conda-meta" / "history").touch()
        write_marker(
            prefix, Marker(name, name, "2026-01-01T00:00:00Z", "ready", [], [], job=f"job-of-{name}")
        )
        for stem in stems:
            (prefix / "conda-meta" / f"{stem}.json").write_text("{}")
            (prefix / stem).hardlink_to(self.cache / stem / "file")
        return prefix

    def history(self, name: str) -> History:
        history = History(self.state / "history" / name)
        history.folder.parent.mkdir(exist_ok=True)
        history.open(f"job-of-{name}")
        return history

    def revision(self, name: str, number: int, *stems: str, kept: int | Path = 0, wheels: Any = ()) -> Path:
        """A revision that has these packages; it keeps a file of that size, or a link to one."""
        folder = self.history(name).revision(number)
        (folder / "old").mkdir(parents=True)
        if isinstance(kept, Path):
            (folder / "old" / "0").hardlink_to(kept)
        elif kept:
            (folder / "old" / "0").write_bytes(os.urandom(kept))
        body = {
            "number": number,
            "created": f"2026-01-{number:02}T00:00:00Z",
            "conda": [{"file": f"{stem}.json"} for stem in stems],
            "pip": [{"wheel_sha256": sha256} for sha256 in wheels],
        }
        write_json(folder / "revision.json", sealed(body))
        write_json(folder / "delta.json", sealed({"replaced": {}, "removed": {}, "added": []}))
        return folder

    def wheel(self, sha256: str) -> Path:
        folder = self.state / "wheels" / sha256
        folder.mkdir(parents=True)
        (folder / f"{sha256}.whl").write_bytes(os.urandom(MB))
        return folder

    def measure(self) -> Inventory:
        return measure(self.environments, self.cache)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def about(size: int) -> Any:
    """That many bytes, give or take folders and records."""
    return pytest.approx(size, abs=200_000)


def test_an_inode_belongs_to_those_that_link_to_it(volume: Volume) -> None:
    for stem in ("both-1-0", "one-1-0"):
        volume.package(stem)
    a = volume.environment("a", "both-1-0", "one-1-0")
    volume.environment("b", "both-1-0")
    (a / "own").write_bytes(os.urandom(MB))
    (a / "own again").hardlink_to(a / "own")
    found = volume.measure()

    assert found.size(["env:a"])[0] == about(3 * MB)
    assert found.frees(["env:a"])[0] == about(MB), "the cache has the others"
    assert found.frees(["env:a", "pkg:one-1-0"])[0] == about(2 * MB)
    assert found.frees(["env:a", "pkg:one-1-0", "pkg:both-1-0"])[0] == about(2 * MB), "b has it too"
    assert found.frees(["env:a", "env:b", "pkg:one-1-0", "pkg:both-1-0"])[0] == about(3 * MB)
    # The prefix, conda-meta, three records or so, the marker; the file with two links is one inode.
    assert found.frees(["env:a"])[1] == 2 + 2 + 2 + 1


def test_it_is_the_same_after_being_written_and_read(volume: Volume) -> None:
    volume.package("one-1-0")
    volume.environment("a", "one-1-0")
    volume.revision("a", 1, "one-1-0", kept=MB)
    found = volume.measure()

    assert Inventory.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("body", [{}, {"version": 2}, {"version": 1}, []])
def test_something_else_is_no_inventory(body: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Inventory.from_json(body)


def test_a_folder_that_cannot_be_read_is_told(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = volume.environment("a")
    volume.environment("b")
    (prefix / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        # Tests may run as root, whom no mode keeps out.
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "no", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    assert volume.measure().environments == {"a": True, "b": False}


def test_what_goes_while_it_is_measured_is_not_there(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = volume.environment("a")
    (prefix / "gone").mkdir()
    (prefix / "going").mkdir()
    (prefix / "going" / "file").write_text("x")
    scandir = os.scandir

    def meanwhile(path: Any) -> Any:
        if os.fspath(path).endswith("gone"):
            Path(path).rmdir()
        if not os.fspath(path).endswith("going"):
            return scandir(path)
        found = list(scandir(path))
        (Path(path) / "file").unlink()
        return found

    monkeypatch.setattr(os, "scandir", meanwhile)

    # Nothing of it was left out.
    assert volume.measure().environments == {"a": False}
    assert not (prefix / "gone").exists()
    assert list((prefix / "going").iterdir()) == []


def test_nothing_at_all_is_measured_too(tmp_path: Path) -> None:
    found = measure(tmp_path / "not there", tmp_path / "nor this")

    assert (found.environments, found.packages, found.groups) == ({}, {}, [])


def test_stamps_change_when_something_comes_or_goes(volume: Volume) -> None:
    volume.environment("a")
    seen = [stamps(volume.environments, volume.cache)]
    for change in (
        lambda: volume.package("one-1-0"),
        lambda: volume.environment("b", "one-1-0"),
        lambda: (volume.environments / "a" / "conda-meta" / "x.json").touch(),
        lambda: volume.revision("a", 1),
        lambda: volume.revision("a", 2),
        lambda: volume.wheel("f" * 64),
    ):
        change()
        seen.append(stamps(volume.environments, volume.cache))

    assert all(before != after for before, after in pairwise(seen))


def test_unused_is_what_neither_environment_nor_revision_needs(volume: Volume) -> None:
    for stem in ("now-2-0", "before-1-0", "never-1-0", "elsewhere-1-0"):
        volume.package(stem)
    volume.environment("a", "now-2-0")
    volume.revision("a", 1, "before-1-0", wheels=["0" * 64])
    volume.revision("a", 2, "now-2-0", wheels=["1" * 64])
    volume.revision("gone", 1, "never-1-0")
    for digit in "012":
        volume.wheel(digit * 64)
    (volume.environments.parent / "other tool").hardlink_to(volume.cache / "elsewhere-1-0" / "file")
    found = volume.measure()

    assert found.unused() == ["pkg:never-1-0", f"wheel:{'2' * 64}"]
    plan = found.plan(cache=True, keep_from={"a": 2})
    assert set(plan.packages) == {"before-1-0", "never-1-0", f"{'0' * 64}.whl", f"{'2' * 64}.whl"}
    assert plan.revisions == {"a": [1]}
    assert plan.freed_bytes == about(4 * MB)


def test_what_a_revision_keeps_in_the_cache_comes_back_with_it_only(volume: Volume) -> None:
    file = volume.package("before-1-0")
    volume.environment("a")
    volume.revision("a", 1, "before-1-0")
    volume.revision("a", 2, kept=file)
    found = volume.measure()

    assert found.frees(found.deltas("a"))[0] == about(0), "the cache has it too"
    assert found.plan(cache=True, keep_from={"a": 2}).freed_bytes == about(MB)
    assert found.kept_for_revisions() == about(MB)
    assert found.kept_for_revisions({"a": 2}) == about(0)


def test_a_gap_ends_the_way_back(volume: Volume) -> None:
    volume.package("early-1-0")
    volume.environment("a")
    for number in range(1, 6):
        volume.revision("a", number, *(["early-1-0"] if number < 3 else []))
    assert volume.measure().restorable("a") == [1, 2, 3, 4, 5]
    (volume.history("a").revision(3) / "delta.json").unlink()
    found = volume.measure()

    assert found.restorable("a") == [3, 4, 5]
    assert found.unused() == ["pkg:early-1-0"], "revisions 1 and 2 cannot be gone back to"
    assert found.restorable("a", keep_from=4) == [4, 5]


def test_the_oldest_go_first_and_one_step_back_stays(volume: Volume) -> None:
    def listed(*days: int) -> list[KeptRevision]:
        return [
            KeptRevision(number, f"2026-01-{day:02}", delta=True, leftover=False, needs=())
            for number, day in enumerate(days, 1)
        ]

    sizes = {"a": listed(1, 3, 5), "b": listed(2, 4, 6, 7), "gone": listed(9)}
    groups = [
        ([f"rev:{name}:{each.number}"], 0, 100, 1) for name, revisions in sizes.items() for each in revisions
    ]
    found = Inventory("", revisions=sizes, orphans=["gone"], groups=groups)

    assert found.over(800) == {}
    assert found.over(799) == {"gone": 1}, "nobody can go back in what is no more"
    assert found.over(500) == {"gone": 1, "a": 1, "b": 1}
    assert found.over(0) == {"gone": 1, "a": 2, "b": 3}
    assert found.kept_for_revisions(found.over(0)) == 200


def test_forgetting_keeps_the_records(volume: Volume) -> None:
    volume.environment("a")
    for number in (1, 2, 3):
        volume.revision("a", number, kept=MB)
    history = volume.history("a")
    numbers, targets = clean.forget(history, 2, volume.trash)

    assert numbers == [1, 2]
    assert clean.remove(targets).freed_bytes == about(2 * MB)
    assert list(volume.trash.iterdir()) == []
    assert [history.read_revision(number)["number"] for number in (1, 2, 3)] == [1, 2, 3]
    assert volume.measure().restorable("a") == [2, 3]
    assert (history.revision(3) / "old" / "0").stat().st_size == MB
    assert clean.forget(history, 2, volume.trash) == ([], [])


def test_forgetting_goes_on_where_it_was_killed(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    volume.environment("a")
    for number in (1, 2, 3):
        volume.revision("a", number, kept=MB)

    class Killed(BaseException):
        """Instead of SIGKILL."""

    def killed(*_: object) -> None:
        raise Killed

    history = volume.history("a")
    with monkeypatch.context() as patch:
        patch.setattr(clean, "_throw_away", killed)
        with pytest.raises(Killed):
            clean.forget(history, 2, volume.trash)
    half = volume.measure()
    assert half.restorable("a") == [1, 2, 3], "only revision 1's own way back is gone, which led nowhere"
    assert half.deltas("a", 2) == ["rev:a:1", "rev:a:2"], "what is left of it still takes space"

    numbers, _ = clean.forget(volume.history("a"), 2, volume.trash)
    assert numbers == [1, 2]
    assert volume.measure().deltas("a") == ["rev:a:3"]


def test_clearing_leaves_what_is_needed_by_now(volume: Volume) -> None:
    for stem in ("unused-1-0", "wanted-1-0", "back-1-0"):
        volume.package(stem)
    volume.wheel("a" * 64)
    volume.environment("a")
    found = volume.measure()
    volume.environment("b", "wanted-1-0")
    volume.revision("a", 1, "back-1-0")
    volume.revision("a", 2)
    done = clean.clear_cache(volume.environments, volume.cache, found.unused(), volume.trash)

    assert done is not None
    assert done[0] == ["pkg:unused-1-0", f"wheel:{'a' * 64}"]
    assert sorted(p.name for p in volume.cache.iterdir() if p.is_dir()) == ["back-1-0", "wanted-1-0"]
    assert not (volume.cache / "unused-1-0.lock").exists()
    assert clean.remove(done[1]).freed_bytes == about(2 * MB)


@pytest.mark.parametrize("lock", [IN_USE, INSTALLING])
def test_the_cache_is_left_alone_while_somebody_installs(volume: Volume, lock: str) -> None:
    volume.package("unused-1-0")
    with (volume.cache / lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert clean.clear_cache(volume.environments, volume.cache, ["pkg:unused-1-0"], volume.trash) is None

    assert (volume.cache / "unused-1-0").is_dir()
    done = clean.clear_cache(volume.environments, volume.cache, ["pkg:unused-1-0"], volume.trash)
    assert done is not None
    assert done[0] == ["pkg:unused-1-0"]


@pytest.mark.parametrize("thing", ["wheel:../pkgs", "pkg:../jobs", "pkg:.x", "env:a", "rev:a:1", "wheel:."])
def test_only_packages_and_wheels_are_cleared(volume: Volume, thing: str) -> None:
    volume.environment("a")
    volume.wheel("a" * 64)
    before = sorted(volume.environments.rglob("*"))

    assert clean.clear_cache(volume.environments, volume.cache, [thing], volume.trash) == ([], [])
    after = sorted(p for p in volume.environments.rglob("*") if p.name not in (IN_USE, INSTALLING))
    assert after == before


async def test_a_worker_measures_forgets_and_clears(volume: Volume) -> None:
    volume.package("unused-1-0")
    volume.environment("a")
    volume.revision("a", 1, kept=MB)
    volume.revision("a", 2, kept=MB)
    said: list[str] = []
    worker = await WorkerProcess.start(said.append, files=True)
    try:
        where = {
            "environments": str(volume.environments),
            "cache": str(volume.cache),
            "trash": str(volume.trash),
        }
        ask: Callable[..., Any] = lambda **request: worker.ask(request, lambda _: None)  # noqa: E731
        found = Inventory.from_json(await ask(op="measure", **where))
        assert found.unused() == ["pkg:unused-1-0"]
        stored = json.loads((volume.state / "space.json").read_bytes())
        assert Inventory.from_json(stored) == found
        history = str(volume.history("a").folder)
        forgotten = await ask(op="forget", history=history, keep_from=1, trash=str(volume.trash))
        assert (forgotten["numbers"], forgotten["freed_bytes"]) == ([1], about(MB))
        cleared = await ask(op="clear", things=found.unused(), **where)
        assert (cleared["things"], cleared["freed_bytes"]) == (["pkg:unused-1-0"], about(MB))
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        await ask(op="measure", gently=True, **where)
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        maps = Path(f"/proc/{worker.pid}/maps").read_text()
        assert "rattler" not in maps, "it is started for files only"
    finally:
        await worker.kill()
    assert said == []
