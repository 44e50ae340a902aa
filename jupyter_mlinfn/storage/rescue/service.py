"""The rescue as others use it; lives on the event loop's thread, which no storage holds up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ...errors import DependencyError, MlinfnError, from_os_error
from ...jobs.manager import JobManager
from ...jobs.models import ACTIVE, Job, JobContext, Progress
from ...threads import in_own_thread
from . import views
from .ground import Ground
from .layout import RESCUED, printable

KIND = "rescue"

_ANSWERS_WITHIN = 3.0
"""Seconds for private storage to show that it is there, before anything is left to wait for it."""
_TIDY_WITHIN = 20.0
"""Seconds for what a kill left to be tidied up."""
_AT_THE_END = 1.0
"""Seconds that are kept, of those given at a stop, for the list of what was rescued."""
_TOLD_IN_LOG = 20

_log = logging.getLogger(__name__)


class RescueService:
    """Work of kind `rescue` (`jobs.models.Work`), and the service.

    Args:
        ground: as it is now; raises MlinfnError.
        limit: bytes that a stop by itself rescues, 0 for nothing.
        changed: there is something new to read.
    """

    def __init__(
        self,
        jobs: JobManager,
        ground: Callable[[], Awaitable[Ground]],
        *,
        limit: int,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._jobs = jobs
        self._ground = ground
        self._changed = changed
        self.limit = limit
        self._last: Mapping[str, Any] | None = None
        self._looked = False
        self._results: dict[str, dict[str, Any]] = {}
        self._ends: dict[str, float] = {}
        self._begun: set[str] = set()
        self._submitting = asyncio.Lock()
        self._others: set[str] = set()
        self._tidying: dict[str, asyncio.Task[None]] = {}
        jobs.register(KIND, self)

    async def start(
        self,
        paths: Sequence[str] | None,
        *,
        without: Sequence[str] = (),
        limit_bytes: int | None = None,
        seconds: float | None = None,
    ) -> Job:
        """Start the job; where the same is at work already, that one.

        Args:
            paths: files and folders, absolute or below the root; None: everything that would be lost.
            without: of these, what is not copied.
            limit_bytes: that are copied at most; None: what there is room for.
            seconds: after which nothing more is copied.
        Raises:
            ConflictError: there is nowhere to copy to.
            DependencyError: the storage does not answer.
        """
        ground = await self._ground()
        private = ground.lasting()
        request: dict[str, Any] = {
            "paths": None if paths is None else [ground.absolute(path) for path in paths],
            "without": [ground.absolute(path) for path in without],
            "limit_bytes": limit_bytes,
        }
        for job in await self._active():
            if {name: job.request.get(name) for name in request} == request:
                return job
        # Taken up by another server, it is still about what was made since the start of this one.
        request["since"] = ground.plan.since
        await self._probe(private)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds if seconds is not None else None
        # It may run before it is known here by its name.
        async with self._submitting:
            try:
                job = await self._jobs.submit(
                    KIND, "Rescue files", subject={"folder": f"{ground.display}/{RESCUED}"}, request=request
                )
            except OSError as error:
                raise from_os_error("Nothing can be rescued now.", error) from error
            self._begun.add(job.id)
            if end is not None:
                self._ends[job.id] = end
        return job

    async def at_the_end(
        self,
        limit_bytes: int | None,
        seconds: float,
        *,
        paths: Sequence[str] | None = None,
        began: Callable[[str], None] = lambda job: None,
    ) -> dict[str, Any] | None:
        """Rescue what would be lost before this server stops; what is not done in time is named.

        Never raises: what failed is told as `problem`. When it is cancelled, so is the job, and what was
        kept stays.

        Args:
            limit_bytes: that are copied at most; None: what there is room for.
            seconds: after which this has answered, whatever the storage does.
            paths: as in `start`.
            began: told the id of the job.
        Returns:
            As the job's result; None where nothing can be lost, nothing is to be kept, or there is nowhere
            to copy to, and nobody chose what.
        """
        if limit_bytes is not None and limit_bytes <= 0:
            return None
        task = asyncio.ensure_future(self._at_the_end(limit_bytes, seconds, paths, began))
        try:
            # Not wait_for, which waits until what it cancels has ended.
            done, _ = await asyncio.wait([task], timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            return views.nothing("Your private storage did not answer in time.")
        error = task.exception()
        if error is None:
            return task.result()
        if not isinstance(error, (MlinfnError, OSError)):
            _log.error("The rescue at the end failed unexpectedly", exc_info=error)
        return views.nothing(" ".join(str(error).splitlines()) or type(error).__name__)

    def last(self) -> Mapping[str, Any] | None:
        """The newest rescue as far as it is known: `{folder, root_path, time, files, bytes, left}`."""
        return self._last

    async def answer(self) -> dict[str, Any]:
        """``#/components/schemas/StorageRescue``."""
        ground = await self._ground()
        if not self._looked and ground.private is not None:
            private = ground.private
            try:
                found = await asyncio.wait_for(
                    in_own_thread("rescues", lambda: views.newest(private)), _ANSWERS_WITHIN
                )
            except (OSError, ValueError, asyncio.TimeoutError) as error:
                _log.warning("What was rescued before is not known: %r", error)
            else:
                self._looked = True
                if found is not None and self._last is None:
                    self._last = views.last(ground, *found)
        return {
            "possible": ground.private is not None,
            "reason": ground.why if ground.private is None else "",
            "folder": f"{ground.display}/{RESCUED}",
            "limit_bytes": self.limit,
            "last": dict(self._last) if self._last is not None else None,
        }

    async def recover(self) -> None:
        """Have what killed servers left tidied up, in the background; after `JobManager.recover`."""
        for job in await self._jobs.all():
            if job.kind == KIND and not self._jobs.is_mine(job.id):
                if job.state == "interrupted":
                    self._tidy_soon(job)
                elif job.state in ACTIVE:
                    self._others.add(job.id)

    def job_changed(self, job_id: str) -> None:
        """Jobs of other servers may be found to be interrupted later."""
        if job_id in self._others:
            self._tidying[job_id] = asyncio.ensure_future(self._look_at(job_id))

    async def close(self) -> None:
        tasks = list(self._tidying.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def run(self, context: JobContext) -> dict[str, Any]:
        from .process import ask

        job = context.job
        if task := self._tidying.get(job.id):
            await asyncio.wait([task])
        ground = await self._ground()
        private = ground.lasting()
        loop = asyncio.get_running_loop()
        async with self._submitting:
            end = self._ends.pop(job.id, None)
        speed = views.Speed(loop.time)

        def on_progress(told: Mapping[str, Any]) -> None:
            context.progress(
                Progress(
                    told["phase"],
                    files_done=told["files_done"],
                    files_total=told["files_total"],
                    bytes_done=told["bytes_done"],
                    bytes_total=told["bytes_total"],
                    seconds_left=speed.seconds_left(told["bytes_done"], told["bytes_total"]),
                )
            )

        request = {
            "op": "rescue",
            "job": job.id,
            "created": job.created,
            "private": private,
            "plan": ground.plan._replace(since=job.request.get("since")).to_json(),
            "paths": job.request.get("paths"),
            "except": job.request.get("without") or [],
            "limit": job.request.get("limit_bytes"),
            "seconds": max(0.0, end - loop.time()) if end is not None else None,
            # What is kept of files that are gone is the last of them: nothing is put over it.
            "foreign": job.id not in self._begun,
        }
        result = self._tell(ground, private, await ask(request, on_progress))
        for each in result["left"][:_TOLD_IN_LOG]:
            context.log(f"Left: {printable(each['path'])}: {each['reason']}")
        if result["problem"]:
            context.warn(result["problem"])
        context.log(f"Kept {result['files']} files in {result['folder'] or 'no folder'}")
        return result

    async def undo(self, context: JobContext) -> None:
        """What is kept stays: only what is not whole goes."""
        result = await self._tidy(context.job)
        if result is not None:
            self._results[context.job.id] = result

    async def _at_the_end(
        self,
        limit_bytes: int | None,
        seconds: float,
        paths: Sequence[str] | None,
        began: Callable[[str], None],
    ) -> dict[str, Any] | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        ground = await self._ground()
        if ground.private is None and paths:
            # Somebody chose them, and counts on them.
            return views.nothing(ground.why)
        if ground.private is None or not (ground.plan.regions or paths):
            return None
        for job in await self._active():
            # Somebody's own rescue goes first: it is of what they want most.
            await asyncio.wait([asyncio.ensure_future(self._jobs.wait(job.id))], timeout=end - loop.time())
        margin = min(_AT_THE_END, seconds / 4)
        job = await self.start(paths, limit_bytes=limit_bytes, seconds=end - loop.time() - 2 * margin)
        began(job.id)
        waiting = asyncio.ensure_future(self._jobs.wait(job.id))
        try:
            done, _ = await asyncio.wait([waiting], timeout=max(0.0, end - loop.time() - margin))
        except asyncio.CancelledError:
            await self._jobs.cancel(job.id)
            raise
        if not done:
            await self._jobs.cancel(job.id)
        ended = await waiting
        result = ended.result or self._results.pop(job.id, None)
        if result is None:
            reason = " ".join(filter(None, (ended.error or {}).values())) if ended.error else ""
            return views.nothing(reason or "There was not time enough to copy anything.")
        if ended.result is None:
            result["problem"] = result["problem"] or "There was not time enough for all of them."
        return result

    async def _active(self) -> list[Job]:
        return [
            job
            for job in await self._jobs.all()
            if job.kind == KIND and job.state in ACTIVE and self._jobs.is_mine(job.id)
        ]

    async def _probe(self, private: str) -> None:
        from .process import ask

        await ask({"op": "probe", "private": private}, timeout=_ANSWERS_WITHIN)

    async def _tidy(self, job: Job) -> dict[str, Any] | None:
        """None where nothing is there of it.

        Raises:
            MlinfnError: the storage is gone or does not answer, or somebody is at work on it.
        """
        from .process import ask

        ground = await self._ground()
        if ground.private is None:
            raise DependencyError("What was copied could not be looked at.", reason=ground.why)
        request = {"op": "finish", "job": job.id, "created": job.created, "private": ground.private}
        done = await ask(request, timeout=_TIDY_WITHIN)
        return self._tell(ground, ground.private, done) if done["summary"] is not None else None

    def _tidy_soon(self, job: Job) -> None:
        async def tidy() -> None:
            try:
                await self._tidy(job)
            except (MlinfnError, OSError) as error:
                _log.warning("What a rescue left could not be tidied up: %s", error)

        self._tidying[job.id] = asyncio.ensure_future(tidy())

    async def _look_at(self, job_id: str) -> None:
        job = await self._jobs.get(job_id)
        if job.state not in ACTIVE:
            self._others.discard(job_id)
            if job.state == "interrupted":
                self._tidy_soon(job)

    def _tell(self, ground: Ground, private: str, done: Mapping[str, Any]) -> dict[str, Any]:
        """``#/components/schemas/RescueResult``, and remember it."""
        folder = f"{private}/{RESCUED}/{done['name']}" if done["name"] else None
        if folder:
            self._last, self._looked = views.last(ground, folder, done["summary"]), True
            self._changed()
        return views.result(ground, folder, done)
