"""Transactions on a prefix: the old one or the new one, whatever happens in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.envs.history import going_back, transaction
from jupyter_mlinfn.envs.history.layout import Damaged, History
from jupyter_mlinfn.envs.history.transaction import Transaction, WriterReplaced, record, recover
from jupyter_mlinfn.envs.history.tree import walk
from jupyter_mlinfn.envs.marker import Marker, read_marker, write_marker
from jupyter_mlinfn.envs.worker.change import made_by
from jupyter_mlinfn.errors import ConflictError

MARKER = Marker("e", "E", "2026-01-01T00:00:00Z", "ready", ["a"], [], "job")


class Small:
    """A prefix of a few files, with its history."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "e"
        self.history = History(folder / "history" / "e")
        self.write("lib/a.py", "old a")
        self.write("lib/__pycache__/a.cpython-311.pyc", "byte code of old a")
        self.write("lib/gone/only.txt", "alone in its folder")
        self.write("bin/tool", "tool")
        (self.prefix / "bin" / "link").symlink_to("tool")
        self.write("conda-meta/history", "")
        write_marker(self.prefix, MARKER)
        self.history.open("job")
        empty = {"replaced": {}, "removed": {}, "added": []}
        record(self.history, self.revision(1), empty, walk(self.prefix))

    def write(self, path: str, text: str) -> None:
        file = self.prefix / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def revision(self, number: int) -> dict[str, Any]:
        return {"number": number, "conda": [], "pip": [], "specs": [], "pip_specs": [], "job": f"j{number}"}

    def content(self) -> dict[str, str]:
        files = {path: self.prefix / path for path in walk(self.prefix)}
        return {p: str(f.readlink()) if f.is_symlink() else f.read_text() for p, f in files.items()}

    def prepared(self, number: int = 2) -> Transaction:
        """A change that replaces a file, removes two, and brings one in a new folder."""
        change = Transaction.begin(self.history, self.prefix, f"j{number}")
        for path, text in (("lib/a.py", f"a of {number}"), (f"new/deep/{number}.txt", "new")):
            file = change.staging / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        going = [path for path in ("lib/gone/only.txt", "bin/link") if path in walk(self.prefix)]
        change.prepare(
            change.staged(), going, walk(self.prefix), self.revision(number), {"specs": [f"a={number}"]}
        )
        return change


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


NEW = {"lib/a.py": "a of 2", "bin/tool": "tool", "new/deep/2.txt": "new"}


def test_a_change_replaces_removes_adds_and_is_a_revision(small: Small) -> None:
    small.prepared().apply()
    assert small.content() == NEW
    assert not (small.prefix / "lib" / "gone").exists()
    assert not (small.prefix / "lib" / "__pycache__" / "a.cpython-311.pyc").exists()
    assert small.history.current() == 2
    assert small.history.read_index() == walk(small.prefix)
    assert small.history.changes() == []
    marker = read_marker(small.prefix)
    assert marker is not None
    assert marker.specs == ["a=2"]


def test_going_back_brings_every_file_with_its_content(small: Small) -> None:
    before = small.content()
    small.prepared().apply()
    small.prepared(3).apply()
    way = going_back.find(small.history, small.history.read_revision(1), small.prefix)
    change = Transaction.begin(small.history, small.prefix, "back")
    going_back.link_kept(way, change.staging)
    change.prepare(change.staged(), way.gone, walk(small.prefix), small.revision(4), {})
    change.apply()
    assert small.content() == before
    assert way.lost == {}


RENAME = os.rename


@contextmanager
def renaming(rename: Callable[[Any, Any], None]) -> Iterator[None]:
    """Let transactions rename by another function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction.os, "rename", rename)
        yield


def steps_of(small: Small) -> int:
    """How many renames a change does."""
    count = 0

    def rename(source: Any, target: Any) -> None:
        nonlocal count
        count += 1
        RENAME(source, target)

    with renaming(rename):
        small.prepared().apply()
    return count


def stop_at(step: int, stop: Callable[[], None]) -> Callable[[Any, Any], None]:
    """A rename that calls `stop` before its `step`-th turn."""
    count = 0

    def rename(source: Any, target: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            stop()
        RENAME(source, target)

    return rename


class _Killed(BaseException):
    """Nothing catches it: the process is gone."""


def _be_killed() -> None:
    raise _Killed


def _disk_full() -> None:
    raise OSError(28, "No space left on device")


def test_after_a_kill_between_any_two_steps_the_next_look_finishes_it(tmp_path: Path) -> None:
    count = steps_of(Small(tmp_path / "count"))
    assert count >= 4
    for step in range(1, count + 1):
        small = Small(tmp_path / str(step))
        change = small.prepared()
        with renaming(stop_at(step, _be_killed)), pytest.raises(_Killed):
            change.apply()
        assert recover(small.history, small.prefix) == [{"change": "j2", "outcome": "finished"}]
        assert small.content() == NEW, f"killed before rename {step}"
        assert small.history.current() == 2
        assert small.history.read_index() == walk(small.prefix)


def test_before_its_journal_a_change_has_touched_nothing(small: Small) -> None:
    before = small.content()
    change = small.prepared()
    (change.folder / "journal.json").unlink()
    assert recover(small.history, small.prefix) == [{"change": "j2", "outcome": "discarded"}]
    assert small.content() == before
    assert not (small.prefix / "new").exists()
    assert small.history.current() == 1


def test_what_a_kill_left_beside_the_marker_goes_at_the_next_look(small: Small) -> None:
    left = small.prefix / "conda-meta" / ".mlinfn-0123"
    left.write_text("half")
    assert recover(small.history, small.prefix) == []
    assert not left.exists()
    assert read_marker(small.prefix) is not None


def test_an_error_at_any_step_leaves_the_old_one(tmp_path: Path) -> None:
    # The last rename is the commit itself: all files are new by then, and stay for the next look.
    for step in range(1, steps_of(Small(tmp_path / "count"))):
        small = Small(tmp_path / str(step))
        before = small.content()
        change = small.prepared()
        with renaming(stop_at(step, _disk_full)), pytest.raises(OSError, match="No space"):
            change.apply()
        assert small.content() == before, f"disk full at rename {step}"
        assert small.history.current() == 1
        assert small.history.changes() == []


def test_a_writer_that_was_taken_over_stops_at_its_next_step(tmp_path: Path) -> None:
    for step in range(1, steps_of(Small(tmp_path / "count")) + 1):
        small = Small(tmp_path / str(step))
        change = small.prepared()

        def take_over(small: Small = small) -> None:
            with renaming(RENAME):
                assert recover(small.history, small.prefix)[0]["outcome"] == "finished"

        with renaming(stop_at(step, take_over)), pytest.raises(WriterReplaced):
            change.apply()
        assert small.content() == NEW
        assert small.history.numbers() == [1, 2]


def test_a_file_that_somebody_made_anew_is_not_removed(small: Small) -> None:
    change = small.prepared()
    (small.prefix / "lib/gone/only.txt").unlink()
    small.write("lib/gone/only.txt", "mine")
    change.apply()
    assert small.content() == NEW | {"lib/gone/only.txt": "mine"}


def test_what_belongs_to_nobody_is_never_overwritten_by_a_folder(small: Small) -> None:
    change = Transaction.begin(small.history, small.prefix, "x")
    (change.staging / "bin" / "tool").mkdir(parents=True)
    (change.staging / "bin" / "tool" / "inside").write_text("")
    with pytest.raises(ConflictError, match="in the way"):
        change.prepare(change.staged(), [], walk(small.prefix), small.revision(2), {})


def test_a_link_out_of_the_prefix_is_not_followed(small: Small, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (small.prefix / "share").symlink_to(outside)
    change = Transaction.begin(small.history, small.prefix, "x")
    change.prepare([], ["share/precious"], walk(small.prefix), small.revision(2), {})
    change.apply()
    assert (outside / "precious").read_text() == "precious"
    change = Transaction.begin(small.history, small.prefix, "y")
    (change.staging / "share").mkdir()
    (change.staging / "share" / "new").write_text("")
    with pytest.raises(ConflictError, match="outside"):
        change.prepare(change.staged(), [], walk(small.prefix), small.revision(3), {})
    assert [entry.name for entry in outside.iterdir()] == ["precious"]


def test_a_damaged_record_is_noticed(small: Small) -> None:
    small.prepared().apply()
    file = small.history.revision(2) / "delta.json"
    file.write_text(file.read_text().replace("a.py", "b.py"))
    with pytest.raises(Damaged):
        small.history.read_delta(2)
    (small.history.revision(1) / "revision.json").write_text("{")
    assert "cannot be read" in str(going_back.how_restorable(small.history, 1))


def test_a_kept_file_that_was_edited_in_place_is_not_trusted(small: Small) -> None:
    small.prepared().apply()
    delta = small.history.read_delta(2)
    kept = small.history.revision(2) / "old" / str(delta["replaced"]["lib/a.py"][0])
    kept.write_text("edited by hand, through some other link")
    way = going_back.find(small.history, small.history.read_revision(1), small.prefix)
    assert "lib/a.py" in way.lost
    assert "lib/a.py" not in way.kept


def test_a_new_environment_of_the_same_name_has_a_history_of_its_own(small: Small) -> None:
    small.prepared().apply()
    small.history.open("another job")
    assert small.history.numbers() == []
    assert small.history.belongs_to("another job")


def test_after_a_kill_behind_the_last_step_the_next_look_tidies_up(small: Small) -> None:
    change = small.prepared()

    def killed(folder: Path) -> None:
        if folder == small.history.revisions and small.history.current() == 2:
            raise _Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "sync_folder", killed)
        with pytest.raises(_Killed):
            change.apply()
    assert list(small.history.changes())

    assert recover(small.history, small.prefix) == [{"change": "j2", "outcome": "finished"}]
    assert small.content() == NEW
    assert list(small.history.changes()) == []


def test_a_change_is_known_by_its_revision_also_behind_a_damaged_one(small: Small) -> None:
    small.prepared(2).apply()
    small.prepared(3).apply()
    (small.history.revision(3) / "revision.json").write_text("{}")

    assert made_by(small.history, "j3") is None
    known = made_by(small.history, "j2")
    assert known is not None
    assert known["number"] == 2
