"""The jobs room on its own: states, cancel, restart."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.errors import ConflictError, NoSpaceError, NotFoundError
from jupyter_mlinfn.jobs import manager
from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.manager import JobManager
from jupyter_mlinfn.jobs.models import Job, JobContext, Progress
from jupyter_mlinfn.jobs.running import RunningJob

from ..support.patience import PATIENCE


class Recorded:
    """Work that does what its request says, and records what was asked of it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.undone: list[str] = []

    async def run(self, context: JobContext) -> dict[str, Any]:
        self.started.set()
        context.log("begun")
        context.progress(Progress("downloading", bytes_done=1, bytes_total=2))
        match context.job.request.get("do"):
            case "wait":
                await self.go_on.wait()
            case "fail":
                raise NoSpaceError("No room.", reason="The disk is full.", hint="Remove files.")
            case "break":
                raise ZeroDivisionError("oh")
        return {"answer": 42}

    async def undo(self, context: JobContext) -> None:
        self.undone.append(context.job.id)


class Room:
    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.work = Recorded()
        self.jobs = JobManager(Journal(folder), self.told.append)
        self.jobs.register("test.work", self.work)

    async def submit(self, do: str = "") -> Job:
        return await self.jobs.submit("test.work", "Do it", subject={"name": "x"}, request={"do": do})


@pytest.fixture
def room(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Callable[[], Room]:
    """Makes servers that share one journal."""
    return lambda: Room(tmp_path / "jobs")


async def test_a_job_is_done_and_is_remembered_with_its_log(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.submit()
    ended = await first.jobs.wait(job.id)

    again = room()
    remembered = await again.jobs.get(job.id)
    lines, position = await again.jobs.log(job.id)

    assert (ended.state, ended.result) == ("done", {"answer": 42})
    assert remembered.to_json() == ended.to_json()
    assert [line["text"] for line in lines] == ["begun"]
    assert await again.jobs.log(job.id, position) == ([], position)
    assert job.id in first.told
    assert first.work.undone == []


async def test_a_failure_says_what_why_and_what_to_do_and_leaves_nothing(room: Callable[[], Room]) -> None:
    first = room()
    ended = await first.jobs.wait((await first.submit("fail")).id)

    assert ended.state == "failed"
    assert ended.error is not None
    assert [ended.error[part] for part in ("message", "reason", "hint")] == [
        "No room.",
        "The disk is full.",
        "Remove files.",
    ]
    assert first.work.undone == [ended.id]


async def test_what_nobody_expected_is_told_too(room: Callable[[], Room]) -> None:
    first = room()
    ended = await first.jobs.wait((await first.submit("break")).id)
    lines, _ = await first.jobs.log(ended.id)

    assert ended.state == "failed"
    assert ended.error is not None
    assert ended.error["reason"] == "ZeroDivisionError: oh"
    assert "ZeroDivisionError: oh" in [line["text"] for line in lines]


async def test_cancel_undoes_and_a_second_cancel_changes_nothing(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.submit("wait")
    await first.work.started.wait()

    await first.jobs.cancel(job.id)
    await first.jobs.cancel(job.id)
    ended = await first.jobs.wait(job.id)

    assert ended.state == "cancelled"
    assert first.work.undone == [job.id]


async def test_an_ended_job_is_forgotten_by_cancel(room: Callable[[], Room]) -> None:
    first = room()
    job = await first.jobs.wait((await first.submit()).id)

    assert await first.jobs.cancel(job.id) is None
    with pytest.raises(NotFoundError):
        await first.jobs.get(job.id)


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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 3}', '{"state": "odd"}', "null"])
async def test_a_damaged_entry_is_no_job_and_breaks_nothing(
    room: Callable[[], Room], tmp_path: Path, content: str
) -> None:
    first = room()
    job = await first.jobs.wait((await first.submit()).id)
    entry = tmp_path / "jobs" / ("f" * 32)
    entry.mkdir()
    (entry / "job.json").write_text(content)

    assert [each.id for each in await first.jobs.all()] == [job.id]


async def test_ids_cannot_leave_the_folder(room: Callable[[], Room], tmp_path: Path) -> None:
    first = room()
    job = await first.jobs.wait((await first.submit()).id)
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "job.json").write_text(json.dumps(job.to_json() | {"id": "../elsewhere"}))

    with pytest.raises(NotFoundError):
        await first.jobs.get("../elsewhere")


async def test_the_log_is_read_in_pieces_of_whole_lines(room: Callable[[], Room], tmp_path: Path) -> None:
    first = room()
    job = await first.jobs.wait((await first.submit()).id)
    with (tmp_path / "jobs" / job.id / "log.jsonl").open("a") as log:
        log.write('{"time": "t", "text": "half')

    lines, position = await first.jobs.log(job.id)
    with (tmp_path / "jobs" / job.id / "log.jsonl").open("a") as log:
        log.write(' and whole"}\n')
    rest, _ = await first.jobs.log(job.id, position)

    assert [line["text"] for line in lines] == ["begun"]
    assert [line["text"] for line in rest] == ["half and whole"]


async def test_old_jobs_are_forgotten_and_running_ones_are_not(room: Callable[[], Room]) -> None:
    first = room()
    waiting = await first.submit("wait")
    for _ in range(55):
        await first.jobs.wait((await first.submit()).id)

    jobs = await first.jobs.all()

    assert len(jobs) <= 52
    assert waiting.id in [job.id for job in jobs]
    first.work.go_on.set()
    await first.jobs.wait(waiting.id)


@pytest.mark.parametrize(
    "damage",
    [{"created": 5}, {"subject": []}, {"request": None}, {"title": None}, {"warnings": "x"}, {"error": 1}],
)
async def test_an_entry_that_could_not_be_shown_is_no_job(
    room: Callable[[], Room], tmp_path: Path, damage: dict[str, Any]
) -> None:
    first = room()
    job = await first.jobs.wait((await first.submit()).id)
    entry = tmp_path / "jobs" / ("f" * 32)
    entry.mkdir()
    (entry / "job.json").write_text(json.dumps(job.to_json() | {"id": "f" * 32} | damage))

    assert [each.id for each in await first.jobs.all()] == [job.id]


async def test_a_log_line_that_is_no_valid_text_is_kept(room: Callable[[], Room]) -> None:
    """A file's name in an error may hold bytes that are no UTF-8 (surrogates)."""
    first = room()

    async def run(context: JobContext) -> dict[str, Any]:
        context.log("cannot read \udcff")
        return {}

    first.work.run = run  # type: ignore[method-assign]
    ended = await asyncio.wait_for(first.jobs.wait((await first.submit()).id), 10)

    assert ended.state == "done"
    assert (await first.jobs.log(ended.id))[0][0]["text"] == "cannot read \udcff"


async def test_a_submission_that_is_cancelled_leaves_no_job_running(room: Callable[[], Room]) -> None:
    """Ctrl-C on a command line, while the job is being journalled."""
    first = room()
    submitting = asyncio.ensure_future(first.submit("wait"))
    await asyncio.sleep(0)  # It has begun: a thread makes the entry.
    submitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submitting

    assert [job.state for job in await first.jobs.all()] == ["cancelled"]
    assert len(first.work.undone) == 1


async def test_the_end_of_a_server_does_not_tear_the_clearing_up(room: Callable[[], Room]) -> None:
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
    asyncio.get_running_loop().call_later(0.05, cleared.set)
    await closing

    assert (await room().jobs.get(job.id)).state == "cancelled"


async def test_older_states_are_never_written_over_newer_ones(
    room: Callable[[], Room], tmp_path: Path
) -> None:
    first = room()
    journal = Journal(tmp_path / "jobs")
    job = await first.jobs.wait((await first.submit()).id)
    slow, begun = threading.Event(), threading.Event()
    written: list[str] = []

    class Slow(Journal):
        def write(self, job: Job) -> None:
            state = job.state
            if state == "running":
                begun.set()
                slow.wait(PATIENCE)
            journal.write(job)
            written.append(state)

    context = RunningJob(job, Slow(tmp_path / "jobs"), lambda _: None)
    running = asyncio.ensure_future(context.write(state="running"))
    await asyncio.to_thread(begun.wait, 10)
    ending = asyncio.ensure_future(context.write(state="done"))
    running.cancel()
    await asyncio.sleep(0)
    slow.set()
    await asyncio.wait([running, ending])

    assert written[-1] == "done"
    assert (await first.jobs.get(job.id)).state == "done"


async def test_a_command_line_that_was_killed_is_noticed_while_the_server_runs(
    room: Callable[[], Room], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "_LOOKED_EVERY", 0.05)
    server = room()
    job = await server.jobs.wait((await server.submit()).id)
    entry = tmp_path / "jobs" / ("e" * 32)
    entry.mkdir()
    (entry / "job.json").write_text(json.dumps(job.to_json() | {"id": "e" * 32, "state": "running"}))
    server.told.clear()

    await server.jobs.all()

    async def told() -> None:
        while "e" * 32 not in server.told:
            await asyncio.sleep(0.02)

    await asyncio.wait_for(told(), 20)

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
