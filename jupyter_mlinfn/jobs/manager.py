"""Runs jobs, and remembers them through restarts."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConflictError, MlinfnError, NotFoundError
from ..times import now
from ..uninterrupted import to_the_end
from .journal import Journal
from .lease import Lease, duration
from .models import ACTIVE, ENDED, Job, Work
from .running import RunningJob

_KEPT = 50
"""Ended jobs that are kept with their logs."""

_ENDS_WITHIN = 5.0
"""Seconds that the end of the server waits for a job that is being cleared up after."""

_log = logging.getLogger(__name__)


@dataclass
class _Run:
    context: RunningJob
    task: asyncio.Task[None]
    lease: Lease
    cancel_asked: bool = False
    ending: bool = False
    """Past the point where it can be cancelled: done, or cleaning up."""
    lost: bool = False
    """Another server has the lease, and with it the journal entry."""


class JobManager:
    """The jobs of one user, of whatever room; lives on the event loop's thread.

    Args:
        journal: where jobs are remembered; other servers of the user may share it.
        changed: called with a job's id whenever it should be read again.
    """

    def __init__(self, journal: Journal, changed: Callable[[str], None]) -> None:
        self._journal = journal
        self._changed = changed
        self._kinds: dict[str, Work] = {}
        self._runs: dict[str, _Run] = {}
        self._orphans: dict[str, Lease] = {}
        self._unwritten: dict[str, Job] = {}
        self._watch: asyncio.Task[None] | None = None
        self._closing = False

    def register(self, kind: str, work: Work) -> None:
        """Say who does the work of a kind of job."""
        self._kinds[kind] = work

    async def submit(
        self, kind: str, title: str, *, subject: Mapping[str, Any], request: Mapping[str, Any]
    ) -> Job:
        """Start a job and answer it at once.

        Args:
            kind: one that was registered.
            title: what is being done, for a list of jobs.
            subject: what it is about, for the client.
            request: what the work needs, JSON without secrets.
        Raises:
            ConflictError: the server is shutting down.
            OSError: the job cannot be journalled, so it was not started.
        """
        job = Job(uuid.uuid4().hex, kind, title, dict(subject), dict(request))
        _, cancelled = await to_the_end(self._begin(job))
        if cancelled:
            # Nobody knows of it, so nobody will cancel it.
            await self.cancel(job.id)
            await self.wait(job.id)
            raise asyncio.CancelledError
        await self._prune()
        return job

    async def _begin(self, job: Job) -> None:
        await asyncio.to_thread(self._journal.begin, job.id)
        try:
            # The lease first: without one it would look like the job of a server that is no more.
            lease = await self._claim(job)
            await asyncio.to_thread(self._journal.write, job)
            await self._start_task(job, lease, self._work)
        except (MlinfnError, OSError):
            await asyncio.to_thread(self._journal.forget, job.id)
            raise

    async def all(self) -> list[Job]:
        """All jobs, newest first."""
        await self._write_again()
        mine = set(self._runs)
        stored = await asyncio.to_thread(self._journal.read_all)
        self._watch_over(job for job in stored if job.id not in mine)
        running = {job_id: run.context.job for job_id, run in self._runs.items()}
        jobs = {job.id: job for job in stored} | self._unwritten | running
        return sorted(jobs.values(), key=lambda job: job.created, reverse=True)

    async def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            NotFoundError: there is none of that id.
        """
        if run := self._runs.get(job_id):
            return run.context.job
        await self._write_again()
        job = self._unwritten.get(job_id) or await asyncio.to_thread(self._journal.read, job_id)
        if job is None:
            raise NotFoundError(
                "There is no such job.", reason="It may have been cleared.", hint="Look at the list of jobs."
            )
        return job

    def is_mine(self, job_id: str) -> bool:
        """Whether this server runs the job."""
        return job_id in self._runs

    async def log(self, job_id: str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The job's log from `offset` bytes on: lines `{time, text}`, and where to go on.

        Raises:
            NotFoundError: there is no such job.
        """
        await self.get(job_id)
        if run := self._runs.get(job_id):
            await run.context.flush()
        return await asyncio.to_thread(self._journal.read_log, job_id, offset)

    async def cancel(self, job_id: str) -> Job | None:
        """Cancel a running job, discard an interrupted one, forget an ended one.

        Returns:
            The job, or None when it was forgotten.
        Raises:
            NotFoundError: there is no such job.
            ConflictError: another server runs it.
        """
        await self._put_away(job_id)
        job = await self.get(job_id)
        if run := self._runs.get(job_id):
            # Once is enough: a second cancel would tear the cleaning up of the first.
            if not (run.cancel_asked or run.ending):
                run.cancel_asked = True
                run.context.job.state = "cancelling"
                self._changed(job_id)
                run.task.cancel()
            return run.context.job
        if job.state in ENDED:
            self._unwritten.pop(job_id, None)
            await asyncio.to_thread(self._journal.forget, job_id)
            self._changed(job_id)
            return None
        job, lease = await self._claim_idle(job)
        return await self._start_task(job, lease, self._discard)

    async def resume(self, job_id: str) -> Job:
        """Take up an interrupted job again, or try a failed or cancelled one once more.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it is running or done.
        """
        await self._put_away(job_id)
        job = await self.get(job_id)
        if job_id in self._runs or job.state == "done":
            raise ConflictError(
                f"{job.title}: there is nothing to resume.",
                reason="It is done." if job.state == "done" else "It is running already.",
            )
        job, lease = await self._claim_idle(job)
        # Not as it ended before: whoever looks now would take that for the end of this attempt.
        job.state = "queued"
        job.error, job.result, job.finished, job.progress = None, None, None, None
        job.warnings = []
        return await self._start_task(job, lease, self._work)

    async def _put_away(self, job_id: str) -> None:
        """Wait for the rest of a job that is seen to have ended: its journal, and its lease."""
        run = self._runs.get(job_id)
        if run is not None and run.context.job.state in ENDED:
            await asyncio.wait([run.task])

    async def wait(self, job_id: str) -> Job:
        """Wait until a job of this server has ended, and give it; for the command line."""
        if run := self._runs.get(job_id):
            await asyncio.wait([run.task])
            return run.context.job
        return await self.get(job_id)

    async def clear(self) -> None:
        """Forget all jobs that have ended."""
        for job in await self.all():
            if job.state in ENDED and job.id not in self._runs:
                self._unwritten.pop(job.id, None)
                await asyncio.to_thread(self._journal.forget, job.id)
                self._changed(job.id)

    async def recover(self) -> None:
        """Find the jobs of servers that are no more, and mark them interrupted.

        Those whose server may still live are watched until they end or its heart stops.
        """
        self._note_orphans(await asyncio.to_thread(self._journal.read_all))
        await self._look_at_orphans()
        self._watch_over(())

    async def close(self) -> None:
        """Stop everything; what was running is left to be taken up by the next server.

        A job that is being cleared up after is given `_ENDS_WITHIN` seconds for that.
        """
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
        runs = list(self._runs.values())
        for run in runs:
            if not (run.cancel_asked or run.ending):
                run.task.cancel()
        if not runs:
            return
        _, late = await asyncio.wait([run.task for run in runs], timeout=_ENDS_WITHIN)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_ENDS_WITHIN)

    async def _start_task(self, job: Job, lease: Lease, body: Callable[[_Run], Any]) -> Job:
        if self._closing or job.kind not in self._kinds:
            await asyncio.to_thread(lease.give_back)
            raise ConflictError(
                f"{job.title}: cannot be started now.",
                reason="This server is shutting down." if self._closing else f"Unknown kind {job.kind!r}.",
                hint="Try again when the server has started again.",
            )
        context = RunningJob(job, self._journal, self._changed)
        started = asyncio.Event()

        async def supervise() -> None:
            await started.wait()
            await self._supervise(run, body)

        run = _Run(context, asyncio.ensure_future(supervise()), lease)
        self._runs[job.id] = run
        started.set()
        return job

    async def _supervise(self, run: _Run, body: Callable[[_Run], Any]) -> None:
        job_id = run.context.job.id
        try:
            await body(run)
        finally:
            await run.context.settle()
            await asyncio.to_thread(run.lease.give_back)
            if not run.context.journalled:
                self._unwritten[job_id] = run.context.job
            self._runs.pop(job_id, None)
            self._changed(job_id)

    async def _work(self, run: _Run) -> None:
        context = run.context
        work = self._kinds[context.job.kind]
        try:
            await context.write(state="running", started=now())
            result = await work.run(context)
        except asyncio.CancelledError:
            if run.cancel_asked:
                await self._undo(run, work, "cancelled", None)
            elif not run.lost:
                await context.write(state="interrupted")
        except MlinfnError as error:
            context.log(str(error))
            await self._undo(run, work, "failed", error.to_json())
        except Exception as error:  # noqa: BLE001
            # A job is nobody's await: what is not caught here would be lost without a word.
            _log.exception("Job %s (%s) failed unexpectedly", context.job.id, context.job.kind)
            context.log(f"{type(error).__name__}: {error}")
            unexpected = MlinfnError(
                f"{context.job.title}: failed unexpectedly.",
                reason=f"{type(error).__name__}: {error}",
                hint="Try again; if it stays, give the job's log to your administrator.",
            )
            await self._undo(run, work, "failed", unexpected.to_json())
        else:
            run.ending = True
            await context.write(state="done", finished=now(), result=result)

    async def _discard(self, run: _Run) -> None:
        run.context.job.state = "cancelling"
        await self._undo(run, self._kinds[run.context.job.kind], "cancelled", None)

    async def _undo(self, run: _Run, work: Work, state: str, error: dict[str, Any] | None) -> None:
        run.ending = True
        try:
            await work.undo(run.context)
        except (MlinfnError, OSError) as problem:
            run.context.warn(f"What was begun could not be removed: {problem}")
        await run.context.write(state=state, finished=now(), error=error)

    def _lease(self, job_id: str) -> Lease:
        loop = asyncio.get_running_loop()

        def on_lost() -> None:
            loop.call_soon_threadsafe(self._lost_lease, job_id)

        return Lease(self._journal.lease_file(job_id), on_lost)

    def _lost_lease(self, job_id: str) -> None:
        if run := self._runs.get(job_id):
            run.lost = True
            run.context.warn("Another server took this job over.")
            run.task.cancel()

    async def _claim(self, job: Job) -> Lease:
        lease = self._orphans.pop(job.id, None) or self._lease(job.id)
        if not await asyncio.to_thread(lease.take):
            raise ConflictError(
                f"{job.title}: another of your servers is doing this.",
                hint=f"Use that server, or try again {duration():.0f} seconds after it has stopped.",
            )
        return lease

    async def _claim_idle(self, job: Job) -> tuple[Job, Lease]:
        """The lease of a job that nobody runs, and the job as it is now that nobody else can change it.

        Raises:
            ConflictError: somebody runs it, or has ended it since it was read.
        """
        lease = await self._claim(job)
        present = self._unwritten.get(job.id) or await asyncio.to_thread(self._journal.read, job.id)
        if present is None or (present.state in ENDED and present.state != job.state):
            await asyncio.to_thread(lease.give_back)
            raise ConflictError(
                f"{job.title}: another of your servers has ended this meanwhile.",
                hint="Look at the list of jobs.",
            )
        self._unwritten.pop(job.id, None)
        return present, lease

    def _note_orphans(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.state in ACTIVE and job.id not in self._runs and job.id not in self._orphans:
                self._orphans[job.id] = self._lease(job.id)

    def _watch_over(self, jobs: Iterable[Job]) -> None:
        """Keep an eye on jobs that others run, e.g. a command line: it may be killed at any time."""
        self._note_orphans(jobs)
        if self._orphans and not self._closing and (self._watch is None or self._watch.done()):
            self._watch = asyncio.ensure_future(self._watch_orphans())

    async def _watch_orphans(self) -> None:
        while self._orphans:
            # As often as a heart beats.
            await asyncio.sleep(duration() / 3)
            await self._look_at_orphans()

    async def _look_at_orphans(self) -> None:
        for job_id, lease in list(self._orphans.items()):
            if job_id in self._runs:
                self._orphans.pop(job_id, None)
            elif await asyncio.to_thread(self._mark_if_orphaned, job_id, lease):
                self._orphans.pop(job_id, None)
                self._changed(job_id)

    def _mark_if_orphaned(self, job_id: str, lease: Lease) -> bool:
        """Whether there is nothing more to watch: the job has ended, or it is marked now."""
        job = self._journal.read(job_id)
        if job is None or job.state not in ACTIVE:
            return True
        try:
            if not lease.take():
                return False
            try:
                job.state = "interrupted"
                self._journal.write(job)
            finally:
                lease.give_back()
        except OSError as error:
            _log.warning("Job %s: cannot look whether it was interrupted: %s", job_id, error)
            return False
        return True

    async def _write_again(self) -> None:
        """Journal the ends of jobs that could not be written: their storage may be back."""
        for job in list(self._unwritten.values()):
            try:
                await asyncio.to_thread(self._journal.write, job)
            except OSError:
                continue
            self._unwritten.pop(job.id, None)

    async def _prune(self) -> None:
        ended = [job for job in await self.all() if job.state in ENDED and job.id not in self._runs]
        for job in ended[_KEPT:]:
            await asyncio.to_thread(self._journal.forget, job.id)
