"""The rescue in its server: a job, cancelled, ended, taken up."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlinfn.errors import ConflictError
from jupyter_mlinfn.jobs.lease import duration
from jupyter_mlinfn.storage.rescue.layout import journal_name

from ...support.clock import Clock, until
from .services import Server, at_work, half, kept, workers
from .support import Ground, check_sums, endless


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


async def test_cancelled_in_the_middle_of_a_file_what_is_kept_stays(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one = server()
    job = await one.rescue.start(None)
    await at_work(ground)
    assert len(workers()) == 1

    await one.jobs.cancel(job.id)
    ended = await one.jobs.wait(job.id)

    assert ended.state == "cancelled"
    assert ended.warnings == []
    assert kept(ground) == ["SHA256SUMS", "manifest.json", "small"]
    assert half(ground) == []
    last = one.rescue.last()
    assert last is not None
    assert (last["files"], last["left"]) == (1, 1)
    await until(lambda: not workers())


async def test_a_killed_worker_is_told_and_what_is_kept_stays(
    server: Callable[[], Server], ground: Ground
) -> None:
    (ground.root / "small").write_text("x")
    large = endless(ground)
    one = server()
    job = await one.rescue.start(None)
    await at_work(ground)

    (worker,) = workers()
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
    await at_work(ground)
    await one.close()
    assert half(ground)

    other = server()
    await other.jobs.recover()
    await other.rescue.recover()

    await until(lambda: not half(ground) and "manifest.json" in kept(ground))
    assert (await other.jobs.get(job.id)).state == "interrupted"
    assert [path.name for path in ground.rescued.glob(f"*/{journal_name(job.id)}")]


async def test_what_another_server_leaves_later_is_tidied_up_then(
    server: Callable[[], Server], ground: Ground, clock: Clock
) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one, other = server(), server()
    job = await one.rescue.start(None)
    await at_work(ground)
    await other.jobs.recover()
    await other.rescue.recover()
    await one.close()
    assert half(ground)

    clock.pass_time(duration() / 3)

    await until(lambda: not half(ground) and "manifest.json" in kept(ground))
    assert (await other.jobs.get(job.id)).state == "interrupted"


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
