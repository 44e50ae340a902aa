"""Counting in a process of its own: many files, partial answers, storage that hangs, a process that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn.storage import tally as tallying
from jupyter_mlinfn.storage.count import CountError, count
from jupyter_mlinfn.storage.tally import Tally
from jupyter_mlinfn.storage.walk import Plan

from ..support.proof import note, sample
from ..support.server import wait_for

MANY = sample(20_000, 100_000)


def plan(root: Path, **more: Any) -> Plan:
    return Plan([str(root)], [str(root)], [], **more)


def write(file: Path, size: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.truncate(size)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many").resolve()
    for folder in range(MANY // 1000):
        for number in range(1000):
            write(root / f"top-{folder % 7}" / f"{folder}" / f"{number}.dat")
    return root


async def test_many_files_and_the_first_answer_at_once(many: Path) -> None:
    began, answers = time.monotonic(), []

    def progress(told: dict[str, Any]) -> None:
        answers.append((time.monotonic() - began, told))

    told = await count(plan(many), None, 100, progress)
    note(f"counting {MANY:,} files: {time.monotonic() - began:.2f} s, {len(answers)} partial answers")

    assert (told["files"], told["bytes"], told["more"]) == (MANY, 0, MANY - 100)
    assert sum(files for _, files, _ in told["folders"]) == MANY
    assert len(told["folders"]) == 7
    # What comes first depends on the machine; that figures only grow does not.
    found = [each["files"] for _, each in answers]
    assert found == sorted(found)
    assert all(each["more"] == max(0, each["files"] - 100) for _, each in answers)


async def test_who_stops_waiting_ends_the_process(many: Path) -> None:
    before = set(psutil.Process().children())
    task = asyncio.ensure_future(count(plan(many), None, 100))
    while not (started := set(psutil.Process().children()) - before):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    wait_for(lambda: not any(each.is_running() for each in started))


@pytest.mark.parametrize(
    ("signal_number", "words"), [(signal.SIGSTOP, "did not answer"), (signal.SIGKILL, "without an answer")]
)
async def test_storage_that_hangs_and_a_process_that_dies(
    many: Path, signal_number: signal.Signals, words: str
) -> None:
    """A process in a call that does not come back writes nothing, as one that is stopped."""
    before = set(psutil.Process().children())

    def strike(_: dict[str, Any]) -> None:
        for child in set(psutil.Process().children()) - before:
            child.send_signal(signal_number)

    # So that it does not end before it is struck.
    slow = plan(many)._replace(regions=[str(many)] * 50)
    with pytest.raises(CountError, match=words):
        await count(slow, None, 100, strike, silent_after=0.5 if words == "did not answer" else 20.0)
    wait_for(lambda: set(psutil.Process().children()) <= before)


async def test_a_count_that_takes_too_long_is_given_up(many: Path) -> None:
    with pytest.raises(CountError, match="too long"):
        await count(plan(many)._replace(regions=[str(many)] * 50), None, 100, longest=0.2)


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
