"""The job that makes an environment: from a name and match specs to a kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import ConflictError, DependencyError, from_os_error
from ..jobs.models import JobContext, now
from .bytecode import BytecodeCompiler
from .catalogue import Catalogue
from .coexistence import register, unregister
from .marker import Marker, read_marker, write_marker
from .models import Plan, Progress
from .places import Places
from .prefix import environment_id
from .trash import Trash

KIND = "envs.create"

_LOOKED_EVERY = 1.0
"""Seconds between two looks whether the prefix is still there."""

_CLEARED_WITHIN = 1.0
"""Seconds that a cancelled job waits for its files to go; they are out of sight before."""


class Installed(Protocol):
    """What an installation gives back (`engine.InstallResult`)."""

    @property
    def plan(self) -> Plan: ...

    @property
    def link_scripts_not_run(self) -> Sequence[str]: ...


class Installer(Protocol):
    """What makes prefixes (`engine.Engine`)."""

    async def install(
        self,
        prefix: Path,
        specs: Sequence[str],
        *,
        channels: Sequence[str] | None = None,
        on_progress: Callable[[Progress], None],
        on_log: Callable[[str], None],
    ) -> Installed: ...

    def channels(self) -> list[str]: ...


@dataclass(frozen=True)
class Creation:
    """Work of kind `envs.create` (`jobs.models.Work`)."""

    places: Places
    installer: Installer
    catalogue: Catalogue
    trash: Trash
    compiler: BytecodeCompiler

    async def run(self, context: JobContext) -> dict[str, Any]:
        request = context.job.request
        prefix = self.places.prefix(request["name"])
        marker = Marker(
            name=request["name"],
            label=request["label"],
            created=now(),
            state="creating",
            specs=request["specs"],
            channels=request["channels"] or self.installer.channels(),
            job=context.job.id,
        )
        context.progress(Progress("preparing"))
        context.log(f"Creating {self.places.display(prefix)}")
        await asyncio.to_thread(self._claim, prefix, marker)
        installed = await self._while_there(
            prefix,
            self.installer.install(
                prefix,
                request["specs"],
                channels=request["channels"],
                on_progress=context.progress,
                on_log=context.log,
            ),
        )
        context.progress(Progress("finishing"))
        specs = list(installed.plan.specs)
        await asyncio.to_thread(self._finish, prefix, marker, specs)
        kernels = await self._kernels(prefix)
        if not kernels:
            context.warn("It offers no kernel; it can be used from a terminal.")
        for package in installed.link_scripts_not_run:
            context.warn(f"The link script of {package} was not run.")
        self.compiler.start(prefix)
        context.log("Ready")
        return {
            "env_id": environment_id(prefix),
            "kernels": kernels,
            "link_scripts_not_run": list(installed.link_scripts_not_run),
        }

    async def undo(self, context: JobContext) -> None:
        prefix = self.places.prefix(context.job.request["name"])
        await self.compiler.stop(prefix)
        thrown_away = await asyncio.to_thread(self._unclaim, prefix, context.job.id)
        if thrown_away is not None:
            await self.catalogue.look()
            clearing = asyncio.ensure_future(asyncio.to_thread(self.trash.clear, thrown_away))
            await asyncio.wait([clearing], timeout=_CLEARED_WITHIN)

    async def _while_there(self, prefix: Path, work: Coroutine[Any, Any, Installed]) -> Installed:
        """Do the work as long as the prefix is there.

        The engine makes folders that are missing: below the mount point of a volume that went
        away it would write, unseen, to the container's own disk.
        """
        working = asyncio.ensure_future(work)
        try:
            while not working.done():
                await asyncio.wait([working], timeout=_LOOKED_EVERY)
                if not working.done() and not await asyncio.to_thread(_marked, prefix):
                    raise DependencyError(
                        f"{self.places.display(prefix)} has disappeared while it was being made.",
                        reason="Your private storage went away, or somebody removed the folder.",
                        hint="Try again when your private storage is back.",
                    )
            return working.result()
        finally:
            working.cancel()
            await asyncio.wait([working])

    def _claim(self, prefix: Path, marker: Marker) -> None:
        """Make the prefix ours: making a folder is atomic, on NFS too, so one of two wins."""
        self.places.prepare()
        try:
            prefix.mkdir()
        except FileExistsError as error:
            present = read_marker(prefix)
            if present is None or present.job != marker.job or present.state != "creating":
                raise ConflictError(
                    f"There is already an environment {marker.name}.",
                    reason="It was made meanwhile, perhaps by another of your servers.",
                    hint="Choose another name.",
                    fields={"name": [{"value": marker.name, "message": "This name is taken."}]},
                ) from error
        except OSError as error:
            raise from_os_error(f"{self.places.display(prefix)} cannot be made.", error) from error
        try:
            write_marker(prefix, marker)
        except OSError as error:
            raise from_os_error(f"{self.places.display(prefix)} cannot be written to.", error) from error

    def _finish(self, prefix: Path, marker: Marker, specs: Sequence[str]) -> None:
        try:
            write_marker(
                prefix, Marker(**{**vars(marker), "created": now(), "state": "ready", "specs": list(specs)})
            )
            register(prefix)
        except OSError as error:
            raise from_os_error(f"{self.places.display(prefix)} cannot be finished.", error) from error

    async def _kernels(self, prefix: Path) -> list[str]:
        mine = environment_id(prefix)
        environments = (await self.catalogue.look()).environments
        return [kernel.name for e in environments if e.id == mine for kernel in e.kernels]

    def _unclaim(self, prefix: Path, job_id: str) -> Path | None:
        """Throw the prefix away if that job made it; where it is now."""
        marker = read_marker(prefix)
        # Without a marker it is ours only if it is empty: the job was stopped between two steps.
        ours = marker.job == job_id if marker is not None else prefix.is_dir() and not any(prefix.iterdir())
        if not ours:
            return None
        thrown_away = self.trash.throw_away(prefix)
        unregister(prefix)
        return thrown_away


def _marked(prefix: Path) -> bool:
    return read_marker(prefix) is not None
