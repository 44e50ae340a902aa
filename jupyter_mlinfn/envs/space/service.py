"""What takes the user's space, kept up to date in the background; lives on the event loop's thread."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import MlinfnError, from_os_error
from ...jobs.manager import JobManager
from ...jobs.models import Job
from ..history.layout import write_json
from ..models import Environment
from ..places import Places
from ..revising import Kept
from ..service import EnvironmentService
from ..worker_process import WorkerProcess
from ..writer import Writers
from . import measure
from .inventory import Inventory, Plan
from .prune import KIND, Pruning
from .sweep import sweep
from .work import FILE

_log = logging.getLogger(__name__)

_AGE = 60.0
"""Seconds after which it is looked whether anything has come or gone."""
_SETTINGS = "settings.json"


class SpaceService:
    """Measures in a worker process, when somebody looks and something has changed.

    Args:
        cache: the package cache that is written to.
        limit: bytes that revisions may take, as the site decided; None: no limit.
        changed: called when something was measured.
    """

    def __init__(
        self,
        places: Places,
        cache: Path,
        limit: int | None,
        envs: EnvironmentService,
        jobs: JobManager,
        writers: Writers,
        changed: Callable[[], None],
    ) -> None:
        self._places = places
        self._cache = cache
        self._site_limit = limit
        self._envs = envs
        self._jobs = jobs
        self._changed = changed
        self._inventory: Inventory | None = None
        self._limit: int | None = limit
        self._read = False
        self._looked = float("-inf")
        self._measuring: asyncio.Task[None] | None = None
        self._trimming: asyncio.Task[None] | None = None
        self._trim_again = False
        self._writers = writers
        jobs.register(KIND, Pruning(places, cache, writers, self.ask, self._measure_anew))

    @property
    def limit(self) -> int | None:
        """Bytes that the revisions of all environments may take."""
        return self._limit

    async def start(self) -> None:
        """Clear away what is left of environments that are no more, see `sweep`."""
        await sweep(self._places, self._writers)

    async def close(self) -> None:
        tasks = [task for task in (self._measuring, self._trimming) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def kept(self, name: str) -> Kept:
        """What the revisions of an environment take, as last measured. It takes a while: use a thread."""
        known = self._inventory
        if known is None:
            return Kept(limit=self._limit)
        return Kept(known.frees(known.deltas(name))[0], known.frees_each(name), self._limit)

    async def use(self) -> dict[str, Any]:
        """``#/components/schemas/SpaceUse``, as last measured, at once."""
        await self._read_once()
        self._look_soon()
        found = await self._envs.list()
        own = [environment for environment in found.environments if environment.origin == "private"]
        space = await self._envs.space()
        known = self._inventory
        cache = [thing for thing in known.packages if thing.startswith("pkg:")] if known else []
        wheels = [thing for thing in known.packages if thing.startswith("wheel:")] if known else []
        unused = set(known.unused()) if known else set()
        spare, spare_wheels = [t for t in cache if t in unused], [t for t in wheels if t in unused]
        return {
            "measured": known.taken if known else None,
            "environments": [self._environment(known, environment) for environment in own],
            "cache": {
                "display": self._places.display(self._cache),
                "size": known.size(cache)[0] if known else None,
                "unused_bytes": known.frees(spare)[0] if known else None,
                "unused_packages": len(spare) if known else None,
                "unused_files": known.frees(spare)[1] if known else None,
            },
            "wheels": {
                "size": known.size(wheels)[0] if known else None,
                "unused_bytes": known.frees(spare_wheels)[0] if known else None,
            },
            "free_bytes": space.free_bytes,
            "free_files": space.free_files,
            "quota": space.free_files is not None,
            "revisions_limit": self._limit,
        }

    async def set_limit(self, limit: int | None) -> None:
        """Let the revisions take that much; None: what the site decided.

        Raises:
            MlinfnError: the private storage is not there, or cannot be written to.
        """
        await asyncio.to_thread(self._places.prepare)
        try:
            await asyncio.to_thread(
                write_json, self._places.state / _SETTINGS, {"version": 1, "revisions_limit": limit}
            )
        except OSError as error:
            raise from_os_error("The limit could not be stored.", error) from error
        self._limit = self._site_limit if limit is None else limit
        self._read = True
        self._changed()

    async def plan(self, *, cache: bool, revisions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """``#/components/schemas/PrunePlan``.

        Raises:
            MlinfnError: no such environment, or the storage cannot be read.
        """
        keep_from = await self._keep_from(revisions)
        inventory = await self._measured()
        plan = inventory.plan(cache=cache, keep_from={e.prefix.name: n for e, n in keep_from})
        return _plan(plan, [environment for environment, _ in keep_from])

    async def prune(self, *, cache: bool, revisions: Sequence[Mapping[str, Any]]) -> Job:
        """Start the job that cleans up.

        Raises:
            MlinfnError: no such environment, or the storage cannot be read.
        """
        keep_from = await self._keep_from(revisions)
        try:
            return await self._jobs.submit(
                KIND,
                "Clean up",
                subject={},
                request={"cache": cache, "keep_from": {e.prefix.name: n for e, n in keep_from}},
            )
        except OSError as error:
            raise from_os_error("Nothing can be cleaned up now.", error) from error

    async def trim(self) -> None:
        """Have the revisions kept within their limit; in the background, for nobody waits for that."""
        self._trim_again = True
        if self._trimming is None or self._trimming.done():
            self._trimming = asyncio.ensure_future(self._trim())

    async def trimmed(self) -> None:
        """Wait until `trim` has done what there was to do."""
        if self._trimming is not None:
            await asyncio.wait([self._trimming])

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have a worker process do something with files, see `work`.

        Raises:
            MlinfnError: what it reports.
        """
        worker = await WorkerProcess.start(_log.debug, files=True)
        try:
            return await worker.ask(request, lambda _: None)
        finally:
            await asyncio.shield(worker.kill())

    def _environment(self, known: Inventory | None, environment: Environment) -> dict[str, Any]:
        name = environment.prefix.name
        thing = f"env:{name}"
        # False: there, and all of it could be read. Of a part the size would not be known.
        there = known is not None and known.environments.get(name) is False
        size = known.size([thing]) if known and there else None
        own = known.frees([thing]) if known and there else None
        deltas = known.frees(known.deltas(name)) if known and there else None
        return {
            "id": environment.id,
            "name": environment.name,
            "label": environment.label,
            "size": size[0] if size else None,
            "size_own": own[0] if own else None,
            "files_own": own[1] if own else None,
            "revisions": len(known.restorable(name)) if known else 0,
            "revisions_bytes": deltas[0] if deltas else None,
            "revisions_files": deltas[1] if deltas else None,
        }

    async def _keep_from(self, revisions: Sequence[Mapping[str, Any]]) -> list[tuple[Environment, int]]:
        return [(await self._envs.own(each["id"]), each["keep_from"]) for each in revisions]

    async def _read_once(self) -> None:
        if not self._read:
            self._read = True
            await asyncio.to_thread(self._read_files)

    def _read_files(self) -> None:
        state = self._places.state
        try:
            self._inventory = Inventory.from_json(json.loads((state / FILE).read_bytes()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self._inventory = None
        try:
            limit = json.loads((state / _SETTINGS).read_bytes())["revisions_limit"]
            self._limit = limit if isinstance(limit, int) and limit >= 0 else self._site_limit
        except (OSError, ValueError, TypeError, KeyError):
            self._limit = self._site_limit

    def _look_soon(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._measuring is None and (self._inventory is None or now - self._looked > _AGE):
            self._measuring = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        try:
            stamps = await asyncio.to_thread(measure.stamps, self._places.environments, self._cache)
            if self._inventory is None or self._inventory.stamps != stamps:
                await self._measure(gently=True)
                self._changed()
            self._looked = asyncio.get_running_loop().time()
        except (MlinfnError, OSError) as error:
            _log.info("The space could not be measured: %s", error)
        finally:
            self._measuring = None

    async def _trim(self) -> None:
        await self._read_once()
        while self._trim_again and self._limit is not None:
            self._trim_again = False
            try:
                inventory = await self._measure(gently=True)
                self._changed()
                # In a thread: of hundreds of revisions it takes a quarter of a second.
                over = await asyncio.to_thread(inventory.over, self._limit)
                if over:
                    request = {"cache": False, "keep_from": over}
                    job = await self._jobs.submit(
                        KIND, "Forget the oldest revisions", subject={}, request=request
                    )
                    await self._jobs.wait(job.id)
            except (MlinfnError, OSError) as error:
                _log.info("The revisions could not be kept within their limit: %s", error)

    async def _measured(self) -> Inventory:
        """What there is now: somebody is about to remove things on the strength of it."""
        await self._read_once()
        return await self._measure()

    async def _measure(self, *, gently: bool = False) -> Inventory:
        request = {
            "op": "measure",
            "gently": gently,
            "environments": str(self._places.environments),
            "cache": str(self._cache),
        }
        self._inventory = Inventory.from_json(await self.ask(request))
        return self._inventory

    async def _measure_anew(self) -> Inventory:
        inventory = await self._measure()
        self._changed()
        return inventory


def _plan(plan: Plan, environments: Sequence[Environment]) -> dict[str, Any]:
    by_name = {environment.prefix.name: environment for environment in environments}
    return {
        "freed_bytes": plan.freed_bytes,
        "freed_files": plan.freed_files,
        "packages": list(plan.packages),
        "revisions": [
            {"id": by_name[name].id, "label": by_name[name].label, "numbers": list(numbers)}
            for name, numbers in plan.revisions.items()
        ],
        "warnings": [],
    }
