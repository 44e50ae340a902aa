"""The job that removes an environment: out of sight at once, off the disk after that."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConflictError, DependencyError, MlinfnError, NotFoundError, from_os_error
from ..jobs.models import JobContext
from ..uninterrupted import in_thread, to_the_end
from .bytecode import BytecodeCompiler
from .catalogue import Catalogue
from .coexistence import unregister
from .models import Progress
from .places import Places
from .prefix import read_prefix
from .trash import Cleared, Trash
from .writer import Writers

KIND = "envs.remove"


@dataclass(frozen=True)
class Removal:
    """Work of kind `envs.remove` (`jobs.models.Work`)."""

    places: Places
    catalogue: Catalogue
    trash: Trash
    compiler: BytecodeCompiler
    writers: Writers

    async def run(self, context: JobContext) -> dict[str, Any]:
        request = context.job.request
        prefix = Path(str(request.get("prefix")))
        context.progress(Progress("preparing"))
        await in_thread(self._check_storage, prefix)
        async with self.writers.holding(prefix, context.job.title):
            await self.compiler.stop(prefix)
            target = await in_thread(self._throw_away, prefix, request.get("created"))
        display = self.places.display(prefix)
        context.log(f"{display} is gone already" if target is None else f"Removed {display}")
        # What it was before goes with it, the lease included; the next sweep removes that.
        with suppress(MlinfnError):
            await in_thread(self.trash.throw_away, self.places.history(prefix.name))
        # From here on there is no way back, so a cancellation waits for the end.
        cleared, _ = await to_the_end(self._clear(target, context))
        if cleared.stopped:
            context.warn("The server ended meanwhile; what is left is removed when one of yours starts.")
        elif cleared.left_files:
            context.warn(
                f"{cleared.left_files} files are still open in some process, or cannot be removed; "
                "that is tried again when a server of yours starts."
            )
        return {"freed_bytes": cleared.freed_bytes, "left_files": cleared.left_files}

    async def undo(self, context: JobContext) -> None:
        """Nothing was changed before the environment is in the trash, and it stays there."""

    def _throw_away(self, prefix: Path, created: object) -> Path | None:
        """Where it is now; None where it was thrown away before."""
        target = None
        try:
            self.places.check_own(prefix)
            self._check_same(prefix, created)
            target = self.trash.throw_away(prefix)
        except NotFoundError:
            # Taken up again after a restart, with the first step done.
            self._check_storage(prefix)
        unregister(prefix)
        return target

    def _check_storage(self, prefix: Path) -> None:
        if not self.places.state.is_dir():
            raise DependencyError(
                f"{self.places.display(prefix)} cannot be removed now.",
                reason="Your private storage went away.",
                hint="Try again when it is back.",
            )

    def _check_same(self, prefix: Path, created: object) -> None:
        """Make sure that it is the one that was to be removed, and not one made in its place."""
        try:
            present = made(prefix)
        except FileNotFoundError as error:
            if os.path.lexists(prefix):
                raise ConflictError(
                    f"{self.places.display(prefix)} is no environment any more.",
                    hint="Remove what is left of it in the file browser.",
                ) from error
            raise NotFoundError(f"{prefix.name} is not there any more.") from error
        except OSError as error:
            raise from_os_error(f"{self.places.display(prefix)} cannot be removed.", error) from error
        if present != created:
            raise ConflictError(
                f"{self.places.display(prefix)} is another environment now.",
                reason="It was made after this removal was asked for.",
                hint="If it is to go too, remove it in the list of environments.",
            )

    async def _clear(self, target: Path | None, context: JobContext) -> Cleared:
        await self.catalogue.look()
        context.progress(Progress("finishing"))
        if target is None:
            return await asyncio.to_thread(self.trash.sweep)
        cleared = await asyncio.to_thread(self.trash.clear, target)
        await asyncio.to_thread(self.trash.sweep)
        return cleared


def made(prefix: Path) -> str | None:
    """When the environment was made, if it says so: what tells it from a later one of its name.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    facts = read_prefix(prefix, ours=False)
    return facts.created.isoformat() if facts.created else None
