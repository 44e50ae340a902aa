"""Counting in a process of its own: many files, partial answers, storage that hangs, a process that dies."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn.storage import tally as tallying
from jupyter_mlinfn.storage.count import LONGEST, SILENT_AFTER, CountError, count
from jupyter_mlinfn.storage.tally import Tally
from jupyter_mlinfn.storage.walk import Plan

from ..support.clock import Clock, stand_still, until
from ..support.processes import children_with
from ..support.proof import note, sample

MANY = sample(5_000, 100_000)


def plan(root: Path, **more: Any) -> Plan:
    return Plan([str(root)], [str(root)], [], **more)


def write(file: Path, size: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.truncate(size)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many").resolve()
    for folder in range(MANY // 500):
        for number in range(500):
            write(root / f"top-{folder % 7}" / f"{folder}" / f"{number}.dat")
    return root


@pytest.fixture
def clock(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Clock:
    return stand_still(jp_asyncio_loop)


def check_partial(answers: list[dict[str, Any]]) -> None:
    # What comes first depends on the machine; that figures only grow does not.
    found = [each["files"] for each in answers]
    assert found == sorted(found)
    assert all(each["more"] == max(0, each["files"] - 100) for each in answers)


async def test_many_files(many: Path) -> None:
    answers: list[dict[str, Any]] = []
    began = time.monotonic()
    told = await count(plan(many), None, 100, answers.append)
    took = time.monotonic() - began

    assert (told["files"], told["bytes"], told["more"]) == (MANY, 0, MANY - 100)
    assert sum(files for _, files, _ in told["folders"]) == MANY
    assert len(told["folders"]) == 7
    check_partial(answers)
    note(f"counted {told['files']:,} files in {took:.2f} s, with {len(answers)} partial answers")


class Counting:
    """A count that comes to no end by itself, and what it told until now."""

    def __init__(self, root: Path) -> None:
        self.told: list[dict[str, Any]] = []
        # The same over and over: hours.
        endless = plan(root)._replace(regions=[str(root)] * 100_000)
        self.task = asyncio.ensure_future(count(endless, None, 100, self._progress))
        self.strike: Callable[[psutil.Process], None] = lambda _: None
        self.struck: list[psutil.Process] = []

    def _progress(self, told: dict[str, Any]) -> None:
        self.told.append(told)
        for process in [] if self.struck else processes():
            self.strike(process)
            self.struck.append(process)


def processes() -> list[psutil.Process]:
    """Those that count."""
    return children_with("storage.tally")


async def test_partial_answers_come_while_it_counts(many: Path) -> None:
    counting = Counting(many)
    await until(lambda: len(counting.told) >= 3)
    counting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await counting.task

    assert counting.told[-1]["files"] > counting.told[0]["files"]
    check_partial(counting.told)


async def test_who_stops_waiting_ends_the_process(many: Path) -> None:
    counting = Counting(many)
    (process,) = await until(processes)
    counting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await counting.task

    await until(lambda: not process.is_running())


async def test_a_process_that_dies(many: Path) -> None:
    counting = Counting(many)
    counting.strike = psutil.Process.kill
    with pytest.raises(CountError, match="without an answer"):
        await counting.task

    assert len(counting.struck) == 1
    await until(lambda: not processes())


async def test_storage_that_hangs(many: Path, clock: Clock) -> None:
    """A process in a call that does not come back writes nothing, as one that is stopped."""
    counting = Counting(many)
    counting.strike = psutil.Process.suspend
    await until(lambda: counting.struck)
    (process,) = counting.struck
    await until(lambda: process.status() == psutil.STATUS_STOPPED)
    # What it wrote before that is read.
    for _ in range(10):
        await asyncio.sleep(0)
    clock.pass_time(SILENT_AFTER / 2)
    await asyncio.sleep(0)
    assert not counting.task.done()
    clock.pass_time(SILENT_AFTER / 2)
    with pytest.raises(CountError, match="did not answer"):
        await counting.task

    await until(lambda: not processes())


async def test_a_count_that_takes_too_long_is_given_up(many: Path, clock: Clock) -> None:
    counting = Counting(many)
    await until(lambda: counting.told)
    clock.pass_time(LONGEST)
    with pytest.raises(CountError, match="too long"):
        await counting.task

    await until(lambda: not processes())


def run(plan: Plan, folder: Path | None = None, limit: int = 100) -> dict[str, Any]:
    tally = Tally(plan, None if folder is None else str(folder), limit)
    tally.run()
    return tally.to_json()


def test_the_biggest_and_the_folders(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    for number in range(150):
        write(root / "a" / "deep" / f"{number}", number)
    write(root / "b" / "sparse", 100 * 1024**3)
    write(root / "own.txt", 7)
    told = run(plan(root))

    assert (told["files"], told["more"]) == (152, 52)
    assert told["biggest"][0][:2] == (100 * 1024**3, f"{root}/b/sparse")
    assert [size for size, _, _ in told["biggest"][1:4]] == [149, 148, 147]
    assert [path for path, _, _ in told["folders"]] == [f"{root}/b", f"{root}/a", str(root)]
    assert told["folders"][1:] == [[f"{root}/a", 150, sum(range(150))], [str(root), 1, 7]]


def test_one_folder(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    for number in range(5):
        write(root / "a" / f"{number}", number)
        write(root / "a" / "deep" / "er" / f"{number}", 10)
    write(root / "elsewhere", 1)
    told = run(plan(root), root / "a", limit=3)

    assert [Path(path).name for _, path, _ in told["biggest"]] == ["4", "3", "2"]
    assert told["more"] == 2
    assert told["folders"] == [[f"{root}/a/deep", 5, 50]]
    assert told["files"] == 10


def test_what_is_no_file_is_not_lost(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()

    assert run(plan(tmp_path.resolve()))["files"] == 1


def test_memory_has_a_bound_for_any_number_of_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallying, "_HELD_FOLDERS", 20)
    for number in range(100):
        write(tmp_path / f"{number}" / "x", number)
    tally = Tally(plan(tmp_path.resolve()))
    tally.run()
    told = tally.to_json()

    assert told["files"] == 100
    assert len(tally._folders) <= 20
    assert told["folders"][0][1:] == [1, 99]
