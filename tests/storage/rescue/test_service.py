"""The rescue in its server: a job, cancelled, ended, taken up, and the one at the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn.errors import ConflictError
from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.manager import JobManager
from jupyter_mlinfn.jobs.models import Job
from jupyter_mlinfn.storage.rescue import process
from jupyter_mlinfn.storage.rescue.ground import Ground as Between
from jupyter_mlinfn.storage.rescue.layout import journal_name
from jupyter_mlinfn.storage.rescue.service import RescueService
from jupyter_mlinfn.storage.walk import Plan

from .support import Ground, check_sums, files_below


class Server:
    """The two services of a server, in this process."""

    def __init__(self, ground: Ground) -> None:
        self.between = Between(Plan.from_json(ground.plan()), str(ground.private))
        self.changes = 0
        self.jobs = JobManager(Journal(ground.folder / "jobs"), self._job_changed)
        self.rescue = RescueService(self.jobs, self._ground, limit=10**9, changed=self._changed)

    async def _ground(self) -> Between:
        return self.between

    def _job_changed(self, job_id: str) -> None:
        self.rescue.job_changed(job_id)

    def _changed(self) -> None:
        self.changes += 1

    async def close(self) -> None:
        await self.rescue.close()
        await self.jobs.close()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.fixture
def server(ground: Ground, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[], Server]]:
    made: list[Server] = []

    def make() -> Server:
        made.append(Server(ground))
        return made[-1]

    yield make
    for each in made:
        jp_asyncio_loop.run_until_complete(each.close())


def endless(ground: Ground) -> Path:
    """A file that takes minutes."""
    file = ground.root / "endless"
    with file.open("wb") as out:
        out.truncate(200_000_000_000)
    return file


async def until(look: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"nothing in {seconds} s"
        await asyncio.sleep(0.01)


def half(ground: Ground) -> list[str]:
    return [
        path for path, _ in files_below(ground.rescued) if "/.rescue-" in path and not path.endswith(".jsonl")
    ]


def kept(ground: Ground) -> list[str]:
    return sorted(path.split("/", 1)[1] for path, _ in files_below(ground.rescued) if "/.rescue-" not in path)


async def test_a_rescue_is_a_job_with_progress_and_a_result(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "a.ipynb").write_text("work")
    (ground.home / "b").write_text("more")
    os.mkfifo(ground.root / "pipe")
    one = server()
    assert await one.rescue.answer() == {
        "possible": True,
        "reason": "",
        "folder": "private/rescued",
        "limit_bytes": 10**9,
        "last": None,
    }

    job = await one.jobs.wait((await one.rescue.start(None)).id)

    assert job.state == "done", job.error
    result = job.result or {}
    assert (result["files"], result["bytes"], result["left_count"], result["problem"]) == (2, 8, 0, None)
    assert [each["path"] for each in result["left"]] == [str(ground.root / "pipe")]
    assert result["folder"] == f"{ground.root}/{result['root_path']}"
    assert check_sums(Path(result["folder"])) == 2
    assert json.loads(Path(result["manifest"]).read_text())["format"] == 1
    assert job.progress is not None
    assert (job.progress.files_done, job.progress.files_total, job.progress.bytes_total) == (2, 2, 8)
    assert one.changes == 1
    last = (await server().rescue.answer())["last"]
    assert last == one.rescue.last()
    assert (last["folder"], last["files"], last["left"]) == (result["folder"], 2, 0)


async def test_cancelled_within_two_seconds_what_is_kept_stays(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one = server()
    job = await one.rescue.start(None)
    await until(lambda: "small" in kept(ground))

    began = time.monotonic()
    await one.jobs.cancel(job.id)
    ended = await one.jobs.wait(job.id)

    assert time.monotonic() - began < 2
    assert ended.state == "cancelled"
    assert ended.warnings == []
    assert kept(ground) == ["SHA256SUMS", "manifest.json", "small"]
    assert half(ground) == []
    last = one.rescue.last()
    assert last is not None
    assert (last["files"], last["left"]) == (1, 1)
    assert not workers()


def workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE
        and any("storage/rescue" in word for word in child.cmdline())
    ]


async def test_a_killed_worker_is_told_and_what_is_kept_stays(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "small").write_text("x")
    large = endless(ground)
    one = server()
    job = await one.rescue.start(None)
    await until(lambda: "small" in kept(ground))

    for worker in workers():
        worker.send_signal(signal.SIGKILL)
    ended = await one.jobs.wait(job.id)

    assert ended.state == "failed"
    assert "memory" in (ended.error or {})["reason"]
    assert kept(ground) == ["SHA256SUMS", "manifest.json", "small"]
    large.write_text("shorter")
    await one.jobs.resume(job.id)
    again = await one.jobs.wait(job.id)
    assert again.state == "done"
    assert (again.result or {})["files"] == 2
    assert kept(ground) == ["SHA256SUMS", "endless", "manifest.json", "small"]


async def test_the_next_server_tidies_up_after_one_that_is_no_more(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "small").write_text("x")
    endless(ground).rename(ground.root / "endless too")
    one = server()
    job = await one.rescue.start(None)
    await until(lambda: "small" in kept(ground))
    await one.close()
    assert half(ground)

    other = server()
    await other.jobs.recover()
    await other.rescue.recover()

    await until(lambda: not half(ground) and "manifest.json" in kept(ground))
    assert (await other.jobs.get(job.id)).state == "interrupted"
    assert [path.name for path in ground.rescued.glob(f"*/{journal_name(job.id)}")]


async def test_the_same_is_not_begun_twice(server: Callable[[], Server], ground: Ground) -> None:
    endless(ground)
    one = server()
    job = await one.rescue.start(None)

    assert (await one.rescue.start(None)).id == job.id
    other = await one.rescue.start(["endless"], without=["endless"])

    assert other.id != job.id
    assert (await one.jobs.wait(other.id)).result is not None


async def test_where_nothing_lasts_it_says_so(server: Callable[[], Server]) -> None:
    one = server()
    one.between = replace(one.between, private=None, why="You have no private folder here.")

    with pytest.raises(ConflictError, match="no private folder"):
        await one.rescue.start(None)
    assert (await one.rescue.answer())["possible"] is False
    assert await one.rescue.at_the_end(10**9, 5) is None


async def test_at_the_end_it_rescues_and_tells(server: Callable[[], Server], ground: Ground) -> None:
    (ground.root / "small").write_text("x")
    (ground.root / "large").write_bytes(b"x" * 100_000)
    one = server()

    result = await one.rescue.at_the_end(50_000, 30)

    assert result is not None
    assert (result["files"], result["left_count"], result["problem"]) == (1, 1, None)
    assert "limit" in result["left"][0]["reason"]


async def test_at_the_end_it_keeps_to_its_time(server: Callable[[], Server], ground: Ground) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one = server()

    began = time.monotonic()
    result = await one.rescue.at_the_end(10**12, 3)

    assert time.monotonic() - began < 3.2
    assert result is not None
    assert (result["files"], result["left_count"]) == (1, 1)
    assert "time" in result["left"][0]["reason"]
    assert half(ground) == []


async def test_a_private_folder_that_is_a_link_is_told_as_it_is_shown(
    server: Callable[[], Server], ground: Ground, tmp_path: Path
) -> None:
    (ground.root / "a").write_text("work")
    ground.private.rmdir()
    (tmp_path / "nfs").mkdir()
    ground.private.symlink_to(tmp_path / "nfs")
    one = server()
    one.between = replace(one.between, private=str(tmp_path / "nfs"), display="private")

    result = await one.rescue.at_the_end(10**9, 30, paths=["a"])

    assert result is not None
    assert result["folder"].startswith(f"{tmp_path}/nfs/rescued/")
    assert (ground.root / result["root_path"] / "a").read_text() == "work"
    assert result["root_path"].startswith("private/rescued/")
    # One that JupyterLab does not show.
    outside = replace(one.between, display=str(tmp_path / "nfs"))
    assert outside.root_path(result["folder"]) is None


async def test_a_list_of_jobs_that_is_slow_takes_no_limit_away(
    server: Callable[[], Server], ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ground.root / "small").write_text("x")
    one = server()
    go = asyncio.Event()
    asked: list[float | None] = []
    looked = 0

    async def look() -> Between:
        nonlocal looked
        looked += 1
        return one.between

    async def ask(request: dict[str, Any], *more: Any, **options: Any) -> dict[str, Any]:
        if request["op"] == "rescue":
            asked.append(request["seconds"])
        return await real_ask(request, *more, **options)

    async def prune() -> None:
        await go.wait()

    real_ask = process.ask
    monkeypatch.setattr(process, "ask", ask)
    monkeypatch.setattr(one.jobs, "_prune", prune)
    monkeypatch.setattr(one.rescue, "_ground", look)
    starting = asyncio.ensure_future(one.rescue.start(None, seconds=100))
    # By who starts it, and by the job.
    await until(lambda: looked == 2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert asked == []
    go.set()
    job = await one.jobs.wait((await starting).id)

    assert job.state == "done"
    assert asked == [pytest.approx(100, abs=10)]


async def test_called_off_at_the_end_what_is_kept_stays(server: Callable[[], Server], ground: Ground) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one = server()
    begun: list[str] = []
    ending = asyncio.ensure_future(one.rescue.at_the_end(None, 60, began=begun.append))
    await until(lambda: "small" in kept(ground))

    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending

    assert (await one.jobs.wait(begun[0])).state == "cancelled"
    assert kept(ground) == ["SHA256SUMS", "manifest.json", "small"]


async def test_at_the_end_with_nothing_to_rescue(server: Callable[[], Server], ground: Ground) -> None:
    one = server()
    result = await one.rescue.at_the_end(10**9, 10)
    assert result is not None
    # It has looked: that nothing is lost is known.
    assert (result["files"], result["left_count"], result["folder"], result["problem"]) == (0, 0, None, None)
    (ground.root / "x").write_text("x")
    assert await one.rescue.at_the_end(0, 10) is None
    one.between = replace(one.between, plan=one.between.plan._replace(regions=[]))
    assert await one.rescue.at_the_end(10**9, 10) is None
    assert not any(ground.rescued.glob("*"))


async def test_at_the_end_with_nowhere_to_copy_to_only_what_was_chosen_is_missed(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "x").write_text("x")
    one = server()
    one.between = replace(one.between, private=None, why="You have no private folder here.")

    assert await one.rescue.at_the_end(10**9, 10) is None
    result = await one.rescue.at_the_end(None, 10, paths=["x"])

    assert result is not None
    assert (result["files"], result["problem"]) == (0, "You have no private folder here.")


async def test_at_the_end_what_fails_is_told_in_words(server: Callable[[], Server], ground: Ground) -> None:
    (ground.root / "x").write_text("x")
    one = server()
    ground.private.rmdir()

    result = await one.rescue.at_the_end(10**9, 10)

    assert result is not None
    assert (result["files"], result["left_count"], result["folder"]) == (0, None, None)
    assert "private" in result["problem"]


async def test_at_the_end_storage_that_hangs_holds_up_nothing(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "x").write_text("x")
    one = server()

    async def never() -> Between:
        await asyncio.Event().wait()
        raise AssertionError

    one._ground = never  # type: ignore[method-assign]
    one.rescue._ground = never

    began = time.monotonic()
    result = await one.rescue.at_the_end(10**9, 0.5)

    assert time.monotonic() - began < 1
    assert "did not answer" in (result or {})["problem"]


async def test_at_the_end_somebodys_own_rescue_goes_first(
    server: Callable[[], Server], ground: Ground
) -> None:
    for number in range(200):
        (ground.root / f"{number}").write_bytes(os.urandom(20_000))
    one = server()
    own: Job = await one.rescue.start(["7"])

    result = await one.rescue.at_the_end(10**9, 30)

    assert (await one.jobs.get(own.id)).state == "done"
    assert (result or {})["files"] == 200
