"""The job that cleans up: unused packages and wheels, and revisions that nobody will go back to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConflictError
from ...jobs.models import JobContext
from ..models import Progress
from ..places import Places
from ..writer import Writers
from .inventory import Inventory

KIND = "envs.prune"


@dataclass(frozen=True)
class Pruning:
    """Work of kind `envs.prune` (`jobs.models.Work`).

    Attributes:
        ask: has a worker process do something with files, see `work`.
        measure: what there is now.
    """

    places: Places
    cache: Path
    writers: Writers
    ask: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
    measure: Callable[[], Awaitable[Inventory]]

    async def run(self, context: JobContext) -> dict[str, Any]:
        request = context.job.request
        keep_from = {str(name): int(number) for name, number in dict(request.get("keep_from") or {}).items()}
        context.progress(Progress("preparing"))
        before = await self.measure()
        plan = before.plan(cache=bool(request.get("cache")), keep_from=keep_from)
        context.progress(Progress("finishing"))
        for name, number in keep_from.items():
            await self._forget(context, name, number)
        if request.get("cache"):
            await self._clear(context, [t for t in plan.things if t.startswith(("pkg:", "wheel:"))])
        # What was removed may still be linked from elsewhere: only measuring tells what came back.
        (had, had_files), (has, has_files) = before.beside(), (await self.measure()).beside()
        return {"freed_bytes": max(0, had - has), "freed_files": max(0, had_files - has_files)}

    async def undo(self, context: JobContext) -> None:
        """Every step is whole by itself: what went was not needed, and the rest is there."""

    async def _forget(self, context: JobContext, name: str, number: int) -> None:
        prefix = self.places.prefix(name)
        try:
            async with self.writers.holding(prefix, context.job.title):
                done = await self.ask(
                    {
                        "op": "forget",
                        "history": str(self.places.history(name)),
                        "keep_from": number,
                        "trash": str(self.places.trash),
                    }
                )
        except ConflictError as error:
            context.warn(f"{name}: its revisions were left alone. {error.message}")
            return
        for forgotten in done["numbers"]:
            context.log(f"{name}: what was kept for going back beyond revision {forgotten} is removed")

    async def _clear(self, context: JobContext, things: list[str]) -> None:
        done = await self.ask(
            {
                "op": "clear",
                "environments": str(self.places.environments),
                "cache": str(self.cache),
                "things": things,
                "trash": str(self.places.trash),
            }
        )
        if done["things"] is None:
            context.warn("The package cache was left alone: an installation is at work on it.")
            return
        context.log(f"{len(done['things'])} cached packages and wheels are removed")
