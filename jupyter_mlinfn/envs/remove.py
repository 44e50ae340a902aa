"""The job that removes an environment: out of sight at once, off the disk after that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import NotFoundError
from ..jobs.models import JobContext
from .bytecode import BytecodeCompiler
from .catalogue import Catalogue
from .coexistence import unregister
from .models import Progress
from .places import Places
from .trash import Cleared, Trash

KIND = "envs.remove"


@dataclass(frozen=True)
class Removal:
    """Work of kind `envs.remove` (`jobs.models.Work`)."""

    places: Places
    catalogue: Catalogue
    trash: Trash
    compiler: BytecodeCompiler

    async def run(self, context: JobContext) -> dict[str, Any]:
        prefix = Path(context.job.request["prefix"])
        context.progress(Progress("preparing"))
        await self.compiler.stop(prefix)
        await asyncio.to_thread(self._throw_away, prefix, context)
        # From here on there is no way back, so a cancel waits for the end.
        removal = asyncio.ensure_future(self._clear(context))
        while not removal.done():
            try:
                await asyncio.shield(removal)
            except asyncio.CancelledError:
                if removal.cancelled():
                    raise
        cleared = removal.result()
        if cleared.left_files:
            context.warn(
                f"{cleared.left_files} files are still open in some process; "
                "they are removed when it has ended and a server of yours starts."
            )
        return {"freed_bytes": cleared.freed_bytes, "left_files": cleared.left_files}

    async def undo(self, context: JobContext) -> None:
        """Nothing was changed before the environment is in the trash, and it stays there."""

    def _throw_away(self, prefix: Path, context: JobContext) -> None:
        try:
            self.places.check_own(prefix)
            self.trash.throw_away(prefix)
        except NotFoundError:
            # Taken up again after a restart, with the first step done.
            context.log(f"{self.places.display(prefix)} is gone already")
        else:
            context.log(f"Removed {self.places.display(prefix)}")
        unregister(prefix)

    async def _clear(self, context: JobContext) -> Cleared:
        await self.catalogue.look()
        context.progress(Progress("finishing"))
        return await asyncio.to_thread(self.trash.sweep)
