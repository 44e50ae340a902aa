"""The rescue before a server stops: in its time, whatever the storage does."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.errors import MlinfnError
from jupyter_mlinfn.jobs.models import Job
from jupyter_mlinfn.storage.rescue import process
from jupyter_mlinfn.storage.rescue.ground import Ground as Between
from jupyter_mlinfn.storage.rescue.work import NO_TIME, Rescue

from ...support.clock import Clock, until
from .services import Server, at_work, half, kept, workers
from .support import Ground, endless


async def test_at_the_end_it_rescues_and_tells(server: Callable[[], Server], ground: Ground) -> None:
    (ground.root / "small").write_text("x")
    (ground.root / "large").write_bytes(b"x" * 100_000)
    one = server()

    result = await one.rescue.at_the_end(50_000, 30)

    assert result is not None
    assert (result["files"], result["left_count"], result["problem"]) == (1, 1, None)
    assert "limit" in result["left"][0]["reason"]


async def test_a_copy_under_way_ends_when_the_time_is_over(ground: Ground, clock: Clock) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    done: list[dict[str, Any]] = []
    rescue = Rescue(ground.request(seconds=6000.0), lambda *_: None, clock=clock)
    copying = threading.Thread(target=lambda: done.append(rescue.run()))
    copying.start()
    await until(lambda: len(half(ground)) == 2)

    def has_its_name() -> bool:
        """As verified files get theirs every now and then."""
        clock.pass_time(0.01)
        return "small" in kept(ground)

    await until(has_its_name)
    assert not done
    clock.pass_time(6000)
    await until(lambda: done)
    copying.join()

    summary = done[0]["summary"]
    assert (summary.files, summary.left) == (1, 1)
    assert [each["reason"] for each in summary.told_left] == [NO_TIME]
    assert kept(ground) == ["SHA256SUMS", "manifest.json", "small"]
    assert half(ground) == []


async def test_at_the_end_it_tells_of_what_there_is_no_time_for(
    server: Callable[[], Server], ground: Ground, clock: Clock
) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one = server()

    asked = 0

    async def slowly() -> Between:
        """It takes the first time all but what is left for the list."""
        nonlocal asked
        asked += 1
        clock.pass_time(2 if asked == 1 else 0)
        return one.between

    one.rescue._ground = slowly
    began = clock()
    result = await one.rescue.at_the_end(10**12, 4)

    assert clock() - began <= 4
    assert result is not None
    assert (result["files"], result["left_count"]) == (0, 2)
    assert all("time" in each["reason"] for each in result["left"])
    assert half(ground) == []


async def test_at_the_end_a_storage_that_is_late_holds_up_nothing(
    server: Callable[[], Server], ground: Ground, clock: Clock
) -> None:
    (ground.root / "small").write_text("x")
    endless(ground)
    one = server()
    ending = asyncio.ensure_future(one.rescue.at_the_end(10**12, 60))
    await at_work(ground)
    # It does not hear that its time is over.
    (worker,) = workers()
    worker.suspend()
    clock.pass_time(59)
    result = await ending

    assert result is not None
    assert (result["files"], result["left_count"]) == (1, 1)
    assert result["problem"] == "There was not time enough for all of them."
    assert kept(ground) == ["SHA256SUMS", "manifest.json", "small"]
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
    await at_work(ground)

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
    server: Callable[[], Server], ground: Ground, clock: Clock
) -> None:
    (ground.root / "x").write_text("x")
    one = server()
    asked = asyncio.Event()

    async def never() -> Between:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    one.rescue._ground = never
    ending = asyncio.ensure_future(one.rescue.at_the_end(10**9, 0.5))
    await asked.wait()
    clock.pass_time(0.5)
    result = await ending

    assert "did not answer" in (result or {})["problem"]


async def test_at_the_end_somebodys_own_rescue_goes_first(
    server: Callable[[], Server], ground: Ground
) -> None:
    for number in range(200):
        (ground.root / f"{number}").write_bytes(os.urandom(20_000))
    one = server()
    own: Job = await one.rescue.start(["7"])
    assert one.jobs.is_mine(own.id)
    then: list[str] = []

    result = await one.rescue.at_the_end(10**9, 30, began=lambda _: then.append(own.state))

    assert then == ["done"]
    assert (await one.jobs.get(own.id)).state == "done"
    assert (result or {})["files"] == 200


async def test_what_the_process_cannot_do_is_told_as_it_says_it(ground: Ground) -> None:
    ground.private.rmdir()
    with pytest.raises(MlinfnError) as caught:
        await process.ask(ground.request())

    assert str(ground.private) in str(caught.value)
    assert caught.value.hint
