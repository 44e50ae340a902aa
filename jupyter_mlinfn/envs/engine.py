"""The engine: what packages can be had, what they would need, and putting them into a prefix.

All the work is done by worker processes (`worker`); this is their client, for an asyncio loop.
Plans, searches and versions share one helper process, whose repodata stays warm while somebody
types and which ends when nobody has asked for a while. An installation has a process of its own while it
lasts: cancelling it is killing that process's group. An idle helper becomes that process, and a process
that has done its work becomes the helper: what it has loaded need not be loaded again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConflictError
from . import condarc as condarc_files
from .condarc import Condarc
from .models import PackageHit, Plan, PlannedPackage, Progress
from .redact import redact
from .sources import EngineSettings, Sources
from .worker_process import Event, WorkerProcess

_SMALL = 256 * 1024 * 1024
"""Bytes that a helper may hold to be used for an installation, or kept after one."""


@dataclass(frozen=True)
class InstallResult:
    """What an installation did."""

    plan: Plan
    link_scripts_not_run: Sequence[str]
    """Names of packages with a post-link script, which is never run."""
    peak_memory: int | None = None
    """VmHWM of the worker, bytes."""


class Superseded(ConflictError):
    """A newer plan was asked for before this one was begun or done: nobody needs it."""


class Engine:
    """One user's engine. Not for several loops.

    Args:
        settings: the site's.
        log: takes warnings and what workers say on stderr; never credentials.
        condarc: for tests; by default read from the disk at the first use, for good.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        log: logging.Logger | None = None,
        condarc: Condarc | None = None,
    ) -> None:
        self._settings = settings
        self._log = log or logging.getLogger(__name__)
        self._sources = Sources(settings, condarc or condarc_files.read())
        self.take_logins = self._sources.take_logins
        self.channels = self._sources.channels
        self.warnings = self._sources.warnings
        self._helper: WorkerProcess | None = None
        self._helper_lock = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._pending_plan: asyncio.Future[None] | None = None
        self._users = 0
        self._closing: set[asyncio.Task[None]] = set()

    async def plan(
        self,
        specs: Sequence[str],
        *,
        channels: Sequence[str] | None = None,
        prefix: Path | None = None,
        cuda: str | None = None,
    ) -> Plan:
        """What installing `specs` into a new prefix would do.

        One plan is worked on at a time, and the newest wins: an earlier call that is still
        waiting raises `Superseded`.

        Args:
            specs: conda match specs; none: only a kernel.
            channels: names or URLs instead of the configured ones.
            prefix: where it would be; decides what can be hard-linked.
            cuda: the newest CUDA that it is to run with; None: builds for the CPU.

        Raises:
            BadInputError: a spec cannot be read; ``fields["specs"]`` says which.
            UnsolvableError: an unknown package (with the nearest names) or a conflict.
            DependencyError: a channel does not deliver, or the worker died.
            NoSpaceError: it would take more memory than there is.
            Superseded: a newer plan was asked for.
        """
        request = {
            "op": "plan",
            "specs": list(specs),
            "prefix": str(prefix) if prefix else None,
            "cuda": cuda,
        }
        return _plan(await self._newest(request, channels))

    async def _newest(self, request: Mapping[str, Any], channels: Sequence[str] | None) -> Event:
        """The answer to the newest of these questions; earlier ones that still wait raise `Superseded`."""
        if self._pending_plan is not None and not self._pending_plan.done():
            self._pending_plan.set_result(None)
        newer = self._pending_plan = asyncio.get_running_loop().create_future()
        answer = asyncio.ensure_future(self._ask(request, channels, unless=newer))
        try:
            await asyncio.wait({answer, newer}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise _superseded()
        finally:
            newer.cancel()
            if not answer.done():
                # The worker cannot stop half way; its answer is awaited, and thrown away.
                answer.add_done_callback(_retrieve)

    async def search(
        self, query: str, *, channels: Sequence[str] | None = None, limit: int = 20
    ) -> list[PackageHit]:
        """Packages whose name holds `query`: the same name first, then those that begin with it.

        Raises:
            DependencyError: a channel does not deliver, or the worker died.
            NoSpaceError: it would take more memory than there is.
        """
        answer = await self._undisturbed({"op": "search", "query": query, "limit": limit}, channels)
        return [PackageHit(**hit) for hit in answer["hits"]]

    async def versions(self, name: str, *, channels: Sequence[str] | None = None) -> tuple[str, list[str]]:
        """Summary and versions of a package, newest first.

        Raises:
            NotFoundError: there is none of that name; the hint has the nearest.
            DependencyError, NoSpaceError: as for `search`.
        """
        answer = await self._undisturbed({"op": "versions", "name": name}, channels)
        return answer["summary"], answer["versions"]

    async def install(
        self,
        prefix: Path,
        specs: Sequence[str],
        *,
        channels: Sequence[str] | None = None,
        cuda: str | None = None,
        on_progress: Callable[[Progress], None],
        on_log: Callable[[str], None],
    ) -> InstallResult:
        """Solve and install into `prefix`. Cancelling the task kills the work, within 1 s; the
        prefix is then half-made, and installing again completes it.

        The caller sees to it that no other installation goes on in the same prefix.

        Args:
            cuda: as for `plan`.
            on_progress, on_log: called on the loop, some ten times a second.

        Raises:
            BadInputError, UnsolvableError, DependencyError: as for `plan`; DependencyError also
                when the storage goes away.
            BadInputError: the prefix is longer than a package's placeholder.
            NotAllowedError: the folder cannot be written to.
            NoSpaceError: the disk, a quota or the memory does not suffice.
        """

        def on_event(event: Event) -> None:
            if event["type"] == "progress":
                on_progress(Progress(**event["progress"]))
            else:
                for line in event["lines"]:
                    on_log(line)

        on_progress(Progress("preparing"))
        request = {"op": "install", "specs": list(specs), "prefix": str(prefix), "cuda": cuda}
        answer, peak_memory = await self._alone(request, channels, on_event)
        return InstallResult(_plan(answer["plan"]), answer["link_scripts_not_run"], peak_memory)

    async def change(
        self,
        request: Mapping[str, Any],
        *,
        channels: Sequence[str] | None = None,
        on_event: Callable[[Event], None],
    ) -> dict[str, Any]:
        """Make a change, see `worker.change.Change.run`. Cancelling the task kills the work.

        Args:
            request: fields of `worker.parts.Request`.
            on_event: takes `progress`, `log`, `warning` and, when there is no way back, `committing`.
        """
        return (await self._alone({"op": "change", "request": dict(request)}, channels, on_event))[0]

    async def plan_change(
        self, request: Mapping[str, Any], *, channels: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """What a change would do, see `worker.change.Change.plan`. The newest question wins, as for `plan`.

        Raises:
            Superseded: a newer one was asked for.
        """
        return await self._newest({"op": "plan_change", "request": dict(request)}, channels)

    async def inspect(self, prefix: Path, history: Path) -> dict[str, Any]:
        """See `worker.looks.inspect`."""
        request = {"op": "inspect", "prefix": str(prefix), "history": str(history)}
        return (await self._alone(request, None, solves=False))[0]

    async def settle(self, prefix: Path, history: Path) -> dict[str, Any]:
        """See `worker.looks.settle`."""
        request = {"op": "settle", "prefix": str(prefix), "history": str(history)}
        return (await self._alone(request, None, solves=False))[0]

    async def _alone(
        self,
        request: Mapping[str, Any],
        channels: Sequence[str] | None,
        on_event: Callable[[Event], None] = lambda _: None,
        *,
        solves: bool = True,
    ) -> tuple[dict[str, Any], int | None]:
        """The answer of a process of its own, and that one's peak memory."""
        settings = self._sources.for_worker(channels)
        worker = (self._take_idle() if solves else None) or await WorkerProcess.start(self._note)
        try:
            answer = await worker.ask({**request, "settings": settings}, on_event)
        except BaseException:
            # Shielded: a second cancellation must not leave the group alive.
            await asyncio.shield(worker.kill())
            raise
        if solves and self._helper is None and _is_small(worker):
            self._helper = worker
            self._end_soon()
        else:
            await asyncio.shield(worker.kill())
        return answer, worker.peak_memory

    def _take_idle(self) -> WorkerProcess | None:
        """The helper, if nobody asks it anything: it has started and knows the channels' lists. One
        that holds much is ended instead: its memory is needed now."""
        if self._users or self._helper is None or not self._helper.alive:
            return None
        if not _is_small(self._helper):
            self._end_idle()
            return None
        if self._idle is not None:
            self._idle.cancel()
        helper, self._helper = self._helper, None
        return helper

    async def close(self) -> None:
        """End the helper. Installations end with the tasks that wait for them."""
        if self._idle is not None:
            self._idle.cancel()
        helper, self._helper = self._helper, None
        if helper is not None:
            await helper.kill()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _undisturbed(self, request: Mapping[str, Any], channels: Sequence[str] | None) -> Event:
        """`_ask`, to its end also when the caller is cancelled: a worker cannot stop half way."""
        answer = asyncio.ensure_future(self._ask(request, channels))
        answer.add_done_callback(_retrieve)
        return await asyncio.shield(answer)

    async def _ask(
        self,
        request: Mapping[str, Any],
        channels: Sequence[str] | None,
        unless: asyncio.Future[None] | None = None,
    ) -> Event:
        """Put a request to the helper, starting one where there is none."""
        if self._idle is not None:
            self._idle.cancel()
        self._users += 1
        worker: WorkerProcess | None = None
        try:
            settings = self._sources.for_worker(channels)
            async with self._helper_lock:
                if unless is not None and unless.done():
                    raise _superseded()  # while it stood in the queue
                worker = await self._running_helper()
                return await worker.ask({**request, "settings": settings}, lambda event: None)
        except asyncio.CancelledError:
            if worker is not None and worker is self._helper:
                # It is in the middle of an answer to nobody: the next request gets a fresh one.
                self._helper = None
                self._end(worker)
            raise
        finally:
            self._users -= 1
            self._end_soon()

    async def _running_helper(self) -> WorkerProcess:
        if self._helper is not None and not self._helper.alive:
            dead, self._helper = self._helper, None
            await dead.kill()
        if self._helper is None:
            self._helper = await WorkerProcess.start(self._note)
        return self._helper

    def _end_soon(self) -> None:
        """End the helper once nobody has asked it anything for a while."""
        if self._idle is not None:
            self._idle.cancel()
        if self._users == 0:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._settings.idle_timeout, self._end_idle)

    def _end_idle(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            self._end(helper)

    def _end(self, worker: WorkerProcess) -> None:
        task = asyncio.ensure_future(worker.kill())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _note(self, line: str) -> None:
        self._log.debug("package engine: %s", redact(line))


def _is_small(worker: WorkerProcess) -> bool:
    return worker.peak_anonymous is not None and worker.peak_anonymous <= _SMALL


def _superseded() -> Superseded:
    return Superseded(
        "A newer request took the place of this one.",
        reason="The packages were changed before the answer was there.",
        hint="Nothing to do: the newer answer is on its way.",
    )


def _plan(body: Mapping[str, Any]) -> Plan:
    packages = [PlannedPackage(**package) for package in body["packages"]]
    return replace(Plan(**{**body, "packages": ()}), packages=packages)


def _retrieve(future: asyncio.Future[Event]) -> None:
    """Take the outcome of work that nobody waits for, so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()
