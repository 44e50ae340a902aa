"""The jobs room on its own: states, cancel, logs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.errors import NotFoundError
from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.models import Job, JobContext
from jupyter_mlinfn.jobs.running import RunningJob

from ..support.clock import until
from ..support.patience import PATIENCE
from .rooms import Room


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


async def test_who_sees_that_a_job_has_ended_can_try_it_again_and_forget_it_at_once(
    room: Callable[[], Room],
) -> None:
    """Its journal is not written yet, nor its lease given back."""
    first = room()
    job = await first.submit("fail")

    async def see(state: str) -> None:
        while (await first.jobs.get(job.id)).state != state:
            await asyncio.sleep(0)
        assert first.jobs.is_mine(job.id), "it was put away already"

    await see("failed")
    await first.jobs.resume(job.id)
    await see("failed")
    assert await first.jobs.cancel(job.id) is None
    with pytest.raises(NotFoundError):
        await first.jobs.get(job.id)


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

    assert 50 < len(jobs) <= 52
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
    ended = await first.jobs.wait((await first.submit()).id)

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
    await until(begun.is_set)
    ending = asyncio.ensure_future(context.write(state="done"))
    running.cancel()
    await asyncio.sleep(0)
    slow.set()
    await asyncio.wait([running, ending])

    assert written[-1] == "done"
    assert (await first.jobs.get(job.id)).state == "done"
