"""Changing environments and going back: what the REST API and the command line call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import BadInputError, ConflictError, MlinfnError, NotAllowedError, NotFoundError, from_os_error
from ..jobs.manager import JobManager
from ..jobs.models import Job
from . import changes, create
from .catalogue import Catalogue
from .changes import Changer, Changing
from .cuda import NONE, is_choice
from .cuda import check as check_cuda
from .history import revisions
from .history.layout import History
from .marker import Marker, read_marker, write_marker
from .models import Environment
from .outside import Inspector, Look, Outside
from .places import Places
from .prefix import environment_id
from .service import EnvironmentService, check_requirements, check_specs
from .views import fit
from .writer import Writer, Writers, being_changed

_log = logging.getLogger(__name__)

_LOOKED_FOR = 3.0
"""Seconds that the details of an environment wait for a look at what was changed outside."""


class Engine(Changer, Inspector, Protocol):
    """`engine.Engine`."""

    async def plan_change(
        self, request: Mapping[str, Any], *, channels: Sequence[str] | None = None
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Kept:
    """Bytes that the revisions of an environment take, as last measured; None where they were not.

    Attributes:
        each: what is freed by forgetting one revision alone, by its number.
        limit: for the revisions of all environments.
    """

    total: int | None = None
    each: Mapping[int, int] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True)
class WantedChange:
    """What somebody asked for, checked."""

    action: str
    specs: Sequence[str] = ()
    manager: str = "conda"
    channels: Sequence[str] | None = None
    target: int | None = None
    expected: int | None = None
    cuda: str | None = None
    """A version of CUDA, ``none``, ``auto``, or nothing: as the environment was made."""

    @property
    def title(self) -> str:
        if self.action == "rollback":
            return f"go back to revision {self.target} of"
        return {"install": "install into", "update": "update", "remove": "remove from"}[self.action]


class RevisionService:
    """Lives on the event loop's thread; whatever reads disks goes to others.

    Args:
        by: who asks through this service: ``JupyterLab`` or ``command line``.
    """

    def __init__(
        self,
        envs: EnvironmentService,
        engine: Engine,
        catalogue: Catalogue,
        jobs: JobManager,
        writers: Writers,
        changed: Callable[[], None],
        *,
        by: str,
    ) -> None:
        self._envs = envs
        self._places: Places = envs.places
        self._engine = engine
        self._jobs = jobs
        self._writers = writers
        self._by = envs.by = by
        self.outside = Outside(self._places, engine, writers, changed)
        self.kept: Callable[[str], Kept] = lambda _: Kept()
        """What the revisions of an environment take; not for the loop's thread."""
        self.trim: Callable[[], Any] = _nothing
        """Keeps the revisions within their limit; set by whoever knows the limit."""
        changing = self._changing = Changing(
            self._places,
            engine,
            catalogue,
            envs.compiler,
            writers,
            envs,
            self._was_changed,
            self._trim,
        )
        jobs.register(changes.KIND, changing)
        envs.install_pip = lambda context, prefix, specs: changing.install_pip(context, prefix, specs, by)
        self._changed = changed
        self._finishing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Finish what servers that are no more had begun and journalled."""
        for job in await self._jobs.all():
            if job.state != "interrupted":
                continue
            if job.kind == changes.KIND:
                await self._finish(job, Path(str(job.request.get("prefix"))), job.id)
            elif job.kind == create.KIND and job.request.get("pip"):
                # Made already, and killed while pip's packages were put into it.
                await self._finish(job, self._places.prefix(str(job.request.get("name"))), f"{job.id}-pip")

    def _start_soon(self) -> None:
        """`start` once more, behind somebody's look: another server may have been killed since."""
        if self._finishing is None or self._finishing.done():
            self._finishing = asyncio.ensure_future(self.start())

    async def close(self) -> None:
        if self._finishing is not None:
            self._finishing.cancel()
        await self.outside.close()

    async def writer(self, environment: Environment) -> Writer | None:
        """Who changes the environment now."""
        return await asyncio.to_thread(self._writer_of, environment)

    async def drift(self, environment: Environment) -> dict[str, Any] | None:
        """``#/components/schemas/Drift``: of a look that is taken now, if that does not take long."""
        look = self.outside.look_soon(environment)
        if look is not None:
            await asyncio.wait([look], timeout=_LOOKED_FOR)
        found = self.outside.known(environment)
        return found.drift if found else None

    async def plan(self, environment_id: str, wanted: WantedChange) -> dict[str, Any]:
        """``#/components/schemas/ChangePlan``, without what the place has free.

        Raises:
            MlinfnError: it cannot be done, or not now.
        """
        environment, marker = await self._ours(environment_id)
        asked = await self._asked(environment, marker, wanted)
        request = await asyncio.to_thread(self._changing.request, asked, environment.prefix, "plan")
        body = await self._engine.plan_change(request, channels=wanted.channels or list(marker.channels))
        running = (await self._envs.running([environment]))[environment.id]
        space = await self._envs.space()
        return (
            body
            | {"cuda": cuda_of(asked), "running": [asdict(kernel) for kernel in running]}
            | fit(body["installed_bytes"], body["installed_files"], space)
        )

    async def change(self, environment_id: str, wanted: WantedChange) -> Job:
        """Start the job that does it.

        Raises:
            MlinfnError: it cannot be done, or not now.
        """
        environment, marker = await self._ours(environment_id)
        writer = await self.writer(environment)
        waits = self._writers.is_brief(environment.prefix)
        if writer is not None and not waits and (writer.mine or not await self._is_stale(environment)):
            raise being_changed(environment.name, writer)
        if wanted.action == "rollback":
            numbers = await asyncio.to_thread(self._history(environment).numbers)
            if wanted.target not in numbers:
                raise NotFoundError(
                    f"There is no revision {wanted.target}.",
                    reason=f"There are: {', '.join(map(str, numbers)) or 'none yet'}.",
                )
        if wanted.expected is not None:
            current = await asyncio.to_thread(self._history(environment).current) or 1
            if current != wanted.expected:
                raise ConflictError(
                    f"{environment.label} was changed meanwhile.",
                    reason=f"You were shown revision {wanted.expected}; it is at revision {current} now.",
                    hint="Look at what would change now, and try again.",
                )
        return await self._submit(environment, marker, wanted, f"{wanted.title} {environment.label}")

    async def adopt(self, environment_id: str) -> Job:
        """Take an environment that others made in the user's folder under revisions.

        Raises:
            ConflictError: it is ours already.
        """
        environment = await self._envs.own(environment_id)
        if environment.adopted:
            raise ConflictError(f"{environment.label} is managed here already.")
        marker = Marker(
            name=environment.prefix.name,
            label=environment.label,
            created=environment.created.isoformat() if environment.created else "",
            state="ready",
            specs=list(environment.requested_specs),
            channels=list(environment.channels) or self._envs.engine.channels(),
            job=environment.id + environment.id,
            by=self._by,
            action="adopt",
        )
        try:
            await asyncio.to_thread(write_marker, environment.prefix, marker)
        except OSError as error:
            raise from_os_error(f"{environment.label} cannot be adopted.", error) from error
        return await self._submit(environment, marker, WantedChange("adopt"), f"Adopt {environment.label}")

    async def states(
        self, environments: Sequence[Environment]
    ) -> dict[str, tuple[Look | None, Writer | None]]:
        """What is known of each at once: the last look and who changes it. New looks are begun."""
        writers = await asyncio.to_thread(lambda: {e.id: self._writer_of(e) for e in environments})
        for environment in environments:
            self.outside.look_soon(environment)
        self._start_soon()
        return {e.id: (self.outside.known(e), writers[e.id]) for e in environments}

    def _writer_of(self, environment: Environment) -> Writer | None:
        if environment.origin != "private":
            return None
        return self._writers.writer(environment.prefix)

    async def revisions(self, environment_id: str) -> dict[str, Any]:
        """``#/components/schemas/RevisionList``."""
        environment, _ = await self._ours(environment_id)
        drift = await self.drift(environment)
        kept = await asyncio.to_thread(self.kept, environment.prefix.name)
        shown = await asyncio.to_thread(revisions.shown, self._history(environment))
        return {
            "revisions": [each | {"kept_bytes": kept.each.get(each["number"])} for each in shown],
            "drift": drift,
            "kept_bytes": kept.total,
            "limit_bytes": kept.limit,
        }

    def _history(self, environment: Environment) -> History:
        return History(self._places.history(environment.prefix.name))

    async def _ours(self, environment_id: str) -> tuple[Environment, Marker]:
        environment = await self._envs.own(environment_id)
        marker = await asyncio.to_thread(read_marker, environment.prefix)
        if marker is None:
            raise NotAllowedError(
                f"{environment.label} is not managed here.",
                reason="It was made by conda, or by another program.",
                hint="Adopt it first: then every change of it is a revision that you can go back to.",
            )
        return environment, marker

    async def _submit(
        self, environment: Environment, marker: Marker, wanted: WantedChange, title: str
    ) -> Job:
        try:
            await asyncio.to_thread(self._places.prepare)
            return await self._jobs.submit(
                changes.KIND,
                title[0].upper() + title[1:],
                subject={"env_id": environment.id, "name": environment.name, "label": environment.label},
                request=await self._asked(environment, marker, wanted),
            )
        except OSError as error:
            raise from_os_error(f"{environment.label} cannot be changed.", error) from error

    async def _asked(self, environment: Environment, marker: Marker, wanted: WantedChange) -> dict[str, Any]:
        """A change as its job remembers it."""
        return {
            "action": wanted.action,
            "prefix": str(environment.prefix),
            "made_by": marker.job,
            "specs": list(wanted.specs),
            "manager": wanted.manager,
            "channels": list(wanted.channels) if wanted.channels else None,
            "target": wanted.target,
            "expected": wanted.expected,
            "by": self._by,
        } | await self._cuda_of(marker, wanted)

    async def _cuda_of(self, marker: Marker, wanted: WantedChange) -> dict[str, Any]:
        """For which CUDA, decided now, so that another server that takes it up does the same."""
        if wanted.manager != "conda" or wanted.action not in ("install", "update", "remove"):
            return {}
        choice = await self._envs.cuda.decide(wanted.cuda, marker.cuda if is_choice(marker.cuda) else "")
        asked = {"cuda": choice.text, "cuda_asked": wanted.cuda is not None}
        return asked if choice.kept == marker.cuda else asked | {"keep_cuda": choice.kept}

    async def check(self, body: Mapping[str, Any]) -> WantedChange:
        """What was asked for (``#/components/schemas/Change``), or why it cannot be.

        Raises:
            BadInputError: packages or channels will not do.
        """
        specs = [spec.strip() for spec in body.get("specs") or () if spec.strip()]
        check_specs(specs)
        if body.get("manager") == "pip" and body["action"] == "install":
            check_requirements(specs)
        if body["action"] != "update" and not specs:
            raise BadInputError(
                f"There is nothing to {body['action']}.",
                hint="Name at least one package.",
                fields={"specs": [{"message": "name a package"}]},
            )
        return WantedChange(
            body["action"],
            specs,
            body.get("manager") or "conda",
            await self._envs.channels(body.get("channels") or None),
            expected=body.get("expected_revision"),
            cuda=check_cuda(body.get("cuda")) or None,
        )

    async def _is_stale(self, environment: Environment) -> bool:
        """Whether what is told of a writer is left of one that was killed."""
        try:
            async with self._writers.holding(environment.prefix, "Look", brief=True):
                return True
        except (ConflictError, OSError):
            return False

    async def _finish(self, job: Job, prefix: Path, change: str) -> None:
        history = History(self._places.history(prefix.name))
        try:
            if await asyncio.to_thread(history.is_past_return, change):
                await self._jobs.resume(job.id)
            elif await asyncio.to_thread(history.has_staged, change):
                # Whether it is to be taken up again is the user's to say; what lies about is not.
                async with self._writers.holding(prefix, "Clear what a killed server left", brief=True):
                    await self._engine.settle(prefix, history.folder)
        except (MlinfnError, OSError) as error:
            _log.info("Job %s cannot be finished now: %s", job.id, error)

    def _was_changed(self, prefix: Path) -> None:
        self.outside.forget(environment_id(prefix))
        self._changed()

    async def _trim(self) -> None:
        await self.trim()


async def _nothing() -> None:
    """There is no limit to keep."""


def cuda_of(asked: Mapping[str, Any]) -> str | None:
    """The CUDA that a change is for; None for none."""
    told = asked.get("cuda", NONE)
    return None if told == NONE else str(told)
