"""The engine: what packages can be had, what they would need, and putting them into a prefix.

All the work is done by worker processes (`worker`); this is their client, for an asyncio loop.
Plans, searches and versions share one helper process, whose repodata stays warm while somebody
types and which ends when nobody has asked for a while. An installation has a process of its own:
cancelling it is killing that process's group.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadInputError, ConflictError
from . import condarc as condarc_files
from .condarc import Condarc
from .models import PackageHit, Plan, PlannedPackage, Progress
from .redact import Credentials, redact, split_credentials
from .worker.protocol import WorkerSettings
from .worker_process import Event, WorkerProcess

FALLBACK_CHANNELS = ("conda-forge",)
"""Where neither our settings nor a .condarc names one."""


@dataclass(frozen=True)
class EngineSettings:
    """What a site decides.

    Attributes:
        channels: names or URLs; empty: those of .condarc, else conda-forge.
        pkgs_dir: package cache, on the file system of the environments (hard links).
        repodata_dir: cache of the channels' lists.
        shared_pkgs: package caches of the site, read-only, used in place.
        memory_budget: bytes that a worker may take; None: whatever is free.
        solve_timeout: seconds for the solver.
        idle_timeout: seconds after which an unused helper ends.
        stall_timeout: seconds without anything arriving after which a channel has failed.
    """

    channels: Sequence[str]
    pkgs_dir: Path
    repodata_dir: Path
    shared_pkgs: Sequence[Path] = ()
    memory_budget: int | None = None
    solve_timeout: float = 120.0
    idle_timeout: float = 60.0
    stall_timeout: float = 30.0


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
        self._condarc = condarc or condarc_files.read()
        self._helper: WorkerProcess | None = None
        self._helper_lock = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._pending_plan: asyncio.Future[None] | None = None
        self._users = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._logins: dict[str, Any] = {}

    def take_logins(self, channels: Sequence[str]) -> list[str]:
        """Channels as they may be stored, logged and shown: without user, password or token.

        What was taken out is kept in this process only, for all requests to that host: a job
        that another server takes up again needs it in a .condarc, or typed once more. It looks
        at the disk where a channel is a path: call it in a thread.

        Raises:
            BadInputError: one cannot be a channel; ``fields["channels"]`` says which.
        """
        clean = []
        for channel in channels:
            try:
                if not channel.isprintable():
                    raise ValueError("it has control characters")
                for url in self._condarc.resolve_channels([channel]):
                    parts = urlsplit(url)
                    _ = parts.port  # Complains of one that is no number.
                    if parts.scheme != "file" and (not parts.hostname or " " in url):
                        raise ValueError("it names no host" if not parts.hostname else "it has a space")
                    self._logins |= _login(split_credentials(url)[1])
            except (ValueError, RuntimeError, OSError) as error:
                shown = redact(channel)
                raise BadInputError(
                    f"Not a channel: {shown!r}.",
                    reason=redact(str(error)),
                    hint="Give the name of a channel, such as conda-forge, or its URL.",
                    fields={"channels": [{"value": shown, "message": "no name or URL of a channel"}]},
                ) from error
            clean.append(split_credentials(channel)[0] if "://" in channel else channel)
        return clean

    def channels(self) -> list[str]:
        """URLs of the channels in use, without credentials."""
        return [split_credentials(url)[0] for url in self._urls(None)]

    def warnings(self) -> list[str]:
        """What is wrong with, or not honoured of, the .condarc files."""
        return list(self._condarc.warnings)

    async def plan(
        self, specs: Sequence[str], *, channels: Sequence[str] | None = None, prefix: Path | None = None
    ) -> Plan:
        """What installing `specs` into a new prefix would do.

        One plan is worked on at a time, and the newest wins: an earlier call that is still
        waiting raises `Superseded`.

        Args:
            specs: conda match specs; none: only a kernel.
            channels: names or URLs instead of the configured ones.
            prefix: where it would be; decides what can be hard-linked.

        Raises:
            BadInputError: a spec cannot be read; ``fields["specs"]`` says which.
            UnsolvableError: an unknown package (with the nearest names) or a conflict.
            DependencyError: a channel does not deliver, or the worker died.
            NoSpaceError: it would take more memory than there is.
            Superseded: a newer plan was asked for.
        """
        request = {"op": "plan", "specs": list(specs), "prefix": str(prefix) if prefix else None}
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
        on_progress: Callable[[Progress], None],
        on_log: Callable[[str], None],
    ) -> InstallResult:
        """Solve and install into `prefix`. Cancelling the task kills the work, within 1 s; the
        prefix is then half-made, and installing again completes it.

        The caller sees to it that no other installation goes on in the same prefix.

        Args:
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
        request = {"op": "install", "specs": list(specs), "prefix": str(prefix)}
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
        if self._users == 0 and solves:
            # What the helper holds of the channels' lists (up to 0.5 GB) is needed here.
            self._end_idle()
        settings = await self._worker_settings(channels)
        worker = await WorkerProcess.start(self._note)
        try:
            answer = await worker.ask({**request, "settings": settings}, on_event)
        finally:
            # Shielded: a second cancellation must not leave the group alive.
            await asyncio.shield(worker.kill())
        return answer, worker.peak_memory

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
            settings = await self._worker_settings(channels)
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
            if self._users == 0:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(self._settings.idle_timeout, self._end_idle)

    async def _running_helper(self) -> WorkerProcess:
        if self._helper is not None and not self._helper.alive:
            dead, self._helper = self._helper, None
            await dead.kill()
        if self._helper is None:
            self._helper = await WorkerProcess.start(self._note)
        return self._helper

    def _end_idle(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            self._end(helper)

    def _end(self, worker: WorkerProcess) -> None:
        task = asyncio.ensure_future(worker.kill())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _urls(self, channels: Sequence[str] | None) -> list[str]:
        names = channels or self._settings.channels or self._condarc.channels or FALLBACK_CHANNELS
        return self._condarc.resolve_channels(names)

    async def _worker_settings(self, channels: Sequence[str] | None) -> dict[str, Any]:
        condarc = self._condarc
        known = [*self._urls(None), *(f"{base}/x" for base in condarc.custom_channels.values())]
        credentials: dict[str, Any] = {}
        for url in known:
            credentials |= _login(split_credentials(url)[1])
        credentials |= self._logins
        clean = []
        for url in self._urls(channels):
            bare, login = split_credentials(url)
            credentials |= _login(login)
            clean.append(bare)
        settings = WorkerSettings(
            channels=clean,
            pkgs_dir=str(self._settings.pkgs_dir),
            repodata_dir=str(self._settings.repodata_dir),
            shared_pkgs=[str(folder) for folder in self._settings.shared_pkgs],
            channel_priority=condarc.channel_priority,
            pinned_packages=list(condarc.pinned_packages),
            ssl_verify=condarc.ssl_verify,
            credentials=credentials,
            proxies=condarc_files.proxy_environment(condarc),
            memory_budget=self._settings.memory_budget,
            solve_timeout=self._settings.solve_timeout,
            stall_timeout=self._settings.stall_timeout,
        )
        return settings.to_json()

    def _note(self, line: str) -> None:
        self._log.debug("package engine: %s", redact(line))


def _login(credentials: Credentials | None) -> dict[str, Any]:
    """An entry of rattler's authentication file; names of the kinds as in
    rattler_networking's `Authentication`."""
    if credentials is None:
        return {}
    if credentials.token is not None:
        return {credentials.host: {"CondaToken": credentials.token}}
    login = {"username": credentials.user or "", "password": credentials.password or ""}
    return {credentials.host: {"BasicHTTP": login}}


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
