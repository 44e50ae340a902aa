"""Several servers, and those that are no more: whose jobs are whose."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.errors import ConflictError
from jupyter_mlinfn.jobs import manager
from jupyter_mlinfn.jobs.lease import duration
from jupyter_mlinfn.jobs.models import Job, JobContext

from ..support.clock import Clock, until
from ..support.patience import PATIENCE
from .rooms import Room


async def test_a_server_that_stops_leaves_its_jobs_to_be_resumed(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()
    await first.jobs.close()

    second = room()
    await second.jobs.recover()
    assert (await second.jobs.get(job.id)).state == "interrupted"
    assert second.work.undone == []
    second.work.go_on.set()
    await second.jobs.resume(job.id)

    assert (await second.jobs.wait(job.id)).state == "done"


async def test_an_interrupted_job_can_be_discarded(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()
    await first.jobs.close()

    second = room()
    await second.jobs.cancel(job.id)
    ended = await second.jobs.wait(job.id)

    assert ended.state == "cancelled"
    assert second.work.undone == [job.id]


async def test_a_killed_server_on_this_host_is_noticed_at_once(
    room: Callable[[], Room], tmp_path: Path
) -> None:
    """SIGKILL: no code of the first server runs any more; its lease and `running` stay behind."""
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from jupyter_mlinfn.jobs import manager
from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.manager import JobManager

class Kill:
    async def run(self, context):
        print(context.job.id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    async def undo(self, context): ...

async def main():
    jobs = JobManager(Journal(Path(sys.argv[1])), print)
    jobs.register("test.work", Kill())
    job = await jobs.submit("test.work", "Do it", subject={}, request={"do": ""})
    await jobs.wait(job.id)

asyncio.run(main())
"""
    killed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "jobs")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    job_id = killed.stdout.split()[0]

    second = room()
    assert (await second.jobs.get(job_id)).state == "running"
    await second.jobs.recover()

    assert (await second.jobs.get(job_id)).state == "interrupted"
    assert job_id in second.told
    await second.jobs.close()


async def test_a_job_of_a_living_server_is_left_alone(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()

    second = room()
    await second.jobs.recover()
    seen = await second.jobs.get(job.id)
    with pytest.raises(ConflictError, match="another of your servers"):
        await second.jobs.cancel(job.id)
    with pytest.raises(ConflictError):
        await second.jobs.resume(job.id)

    assert seen.state == "running"
    assert not second.jobs.is_mine(job.id)
    first.work.go_on.set()
    assert (await first.jobs.wait(job.id)).state == "done"
    await second.jobs.close()


async def test_the_end_of_a_server_does_not_tear_the_clearing_up(
    room: Callable[[], Room], clock: Clock
) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()
    clearing, cleared = asyncio.Event(), asyncio.Event()

    async def undo(context: JobContext) -> None:
        clearing.set()
        await cleared.wait()

    first.work.undo = undo  # type: ignore[method-assign]
    await first.jobs.cancel(job.id)
    await clearing.wait()
    closing = asyncio.ensure_future(first.jobs.close())
    await asyncio.sleep(0)  # It has begun to wait.
    clock.pass_time(manager._ENDS_WITHIN / 2)
    await asyncio.sleep(0)
    cleared.set()
    await closing

    assert (await room().jobs.get(job.id)).state == "cancelled"


async def test_the_end_of_a_server_does_not_wait_for_a_clearing_up_that_hangs(
    room: Callable[[], Room], clock: Clock
) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()
    clearing = asyncio.Event()

    async def undo(context: JobContext) -> None:
        clearing.set()
        await asyncio.Event().wait()

    first.work.undo = undo  # type: ignore[method-assign]
    await first.jobs.cancel(job.id)
    await clearing.wait()
    closing = asyncio.ensure_future(first.jobs.close())
    await asyncio.sleep(0)
    clock.pass_time(manager._ENDS_WITHIN)
    await closing
    second = room()
    await second.jobs.recover()

    assert (await second.jobs.get(job.id)).state == "interrupted"


async def test_a_command_line_that_was_killed_is_noticed_while_the_server_runs(
    room: Callable[[], Room], tmp_path: Path, clock: Clock
) -> None:
    server = room()
    job = await server.jobs.wait((await server.submit()).id)
    entry = tmp_path / "jobs" / ("e" * 32)
    entry.mkdir()
    (entry / "job.json").write_text(json.dumps(job.to_json() | {"id": "e" * 32, "state": "running"}))
    server.told.clear()

    await server.jobs.all()
    await asyncio.sleep(0)  # It watches.
    assert server.told == []
    clock.pass_time(duration() / 3)
    await until(lambda: "e" * 32 in server.told)

    assert (await server.jobs.get("e" * 32)).state == "interrupted"
    await server.jobs.close()


async def test_what_another_server_has_done_meanwhile_is_not_discarded(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()
    await first.jobs.close()
    second, third = room(), room()
    stale = await second.jobs.get(job.id)
    third.work.go_on.set()
    await third.jobs.resume(job.id)
    assert (await third.jobs.wait(job.id)).state == "done"

    async def read_before(job_id: str) -> Job:
        return stale

    second.jobs.get = read_before  # type: ignore[method-assign]
    with pytest.raises(ConflictError, match="meanwhile"):
        await second.jobs.cancel(job.id)

    assert second.work.undone == []
