"""The job that makes an environment: from a name and match specs to a kernel."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..errors import BadInputError, ConflictError, DependencyError, MlinfnError, from_os_error
from ..jobs.models import JobContext
from ..times import now
from ..uninterrupted import in_thread, to_the_end
from .bytecode import BytecodeCompiler
from .catalogue import Catalogue
from .coexistence import register
from .cuda import NONE, is_choice
from .marker import Marker, read_marker, write_marker
from .models import Plan, Progress
from .names import check_label, check_name
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
        cuda: str | None = None,
        on_progress: Callable[[Progress], None],
        on_log: Callable[[str], None],
    ) -> Installed: ...

    def channels(self) -> list[str]: ...


InstallPip = Callable[[JobContext, Path, Sequence[str]], Awaitable[object]]
"""Installs requirements by pip into an environment that is ready, as a change of its own; once
per job, however often it is called."""


@dataclass(frozen=True)
class Creation:
    """Work of kind `envs.create` (`jobs.models.Work`)."""

    places: Places
    installer: Installer
    catalogue: Catalogue
    trash: Trash
    compiler: BytecodeCompiler
    install_pip: InstallPip

    async def run(self, context: JobContext) -> dict[str, Any]:
        wanted = _Wanted.of(context.job.request)
        prefix = self.places.prefix(wanted.name)
        marker = Marker(
            name=wanted.name,
            label=wanted.label,
            created=now(),
            state="creating",
            specs=wanted.specs,
            channels=wanted.channels or self.installer.channels(),
            job=context.job.id,
            by=wanted.by,
            cuda=wanted.cuda_kept,
        )
        context.progress(Progress("preparing"))
        if await in_thread(self._is_made, prefix, marker):
            context.log(f"{self.places.display(prefix)} was whole already")
        else:
            context.log(f"Creating {self.places.display(prefix)}")
            await in_thread(self._claim, prefix, marker)
            installed = await self._while_there(
                prefix,
                self.installer.install(
                    prefix,
                    wanted.specs,
                    channels=wanted.channels,
                    cuda=wanted.cuda,
                    on_progress=context.progress,
                    on_log=context.log,
                ),
            )
            context.progress(Progress("finishing"))
            await in_thread(self._finish, prefix, replace(marker, specs=list(installed.plan.specs)))
        # It is an environment now, listed and usable: a cancellation comes too late.
        result, cancelled = await to_the_end(self._offer(context, prefix))
        if wanted.pip:
            if cancelled:
                raise asyncio.CancelledError
            await self._install_pip(context, prefix, wanted)
        return result

    async def undo(self, context: JobContext) -> None:
        wanted = _Wanted.of(context.job.request)
        thrown_away = await in_thread(self._unclaim, self.places.prefix(wanted.name), context.job.id)
        if thrown_away is not None:
            clearing = asyncio.ensure_future(asyncio.to_thread(self.trash.clear, thrown_away))
            await asyncio.wait([clearing], timeout=_CLEARED_WITHIN)
        elif wanted.pip:
            marker = await in_thread(read_marker, self.places.prefix(wanted.name))
            if marker is not None and marker.job == context.job.id:
                context.warn(f"{wanted.label} was made already and stays, without what pip was to install.")

    async def _install_pip(self, context: JobContext, prefix: Path, wanted: _Wanted) -> None:
        context.log(f"Installing by pip: {', '.join(wanted.pip)}")
        try:
            await self.install_pip(context, prefix, wanted.pip)
        except MlinfnError as error:
            raise type(error)(
                f"{wanted.label} is made, but pip could not install {', '.join(wanted.pip)}.",
                reason="\n".join(text for text in (error.message, error.reason) if text),
                hint=f"{error.hint} The environment stays: install again from its panel.".strip(),
            ) from error

    async def _offer(self, context: JobContext, prefix: Path) -> dict[str, Any]:
        """Make the environment's kernels known; what the job results in."""
        await asyncio.to_thread(register, prefix)
        mine = environment_id(prefix)
        made = next((e for e in (await self.catalogue.look()).environments if e.id == mine), None)
        kernels = [kernel.name for kernel in made.kernels] if made else []
        link_scripts = list(made.link_scripts_not_run) if made else []
        if not kernels:
            context.warn("It offers no kernel; it can be used from a terminal.")
        for package in link_scripts:
            context.warn(f"The link script of {package} was not run.")
        self.compiler.start(prefix)
        context.log("Ready")
        return {"env_id": mine, "kernels": kernels, "link_scripts_not_run": link_scripts}

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

    def _is_made(self, prefix: Path, marker: Marker) -> bool:
        """Whether this job has made it already, and its server ended before it could say so."""
        present = read_marker(prefix)
        return present is not None and present.job == marker.job and present.state == "ready"

    def _claim(self, prefix: Path, marker: Marker) -> None:
        """Make the prefix ours, with its marker in it.

        A rename onto a folder that is not empty fails, on NFS too (rename(2)): so one of two
        wins, and nobody ever sees a prefix without a marker.
        """
        self.places.prepare()
        present = read_marker(prefix)
        if present is not None and present.job == marker.job:
            return
        claim = self.places.claim(marker.job)
        try:
            # Not with its parents: below a volume that went away nothing may be made.
            claim.parent.mkdir(exist_ok=True)
            claim.mkdir(exist_ok=True)
            write_marker(claim, marker)
            if os.path.lexists(prefix):
                raise FileExistsError
            claim.rename(prefix)
        except OSError as error:
            shutil.rmtree(claim, ignore_errors=True)
            if error.errno in (None, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise ConflictError(
                    f"There is already an environment {marker.name}.",
                    reason="It was made meanwhile, perhaps by another of your servers.",
                    hint="Choose another name.",
                    fields={"name": [{"value": marker.name, "message": "This name is taken."}]},
                ) from error
            raise from_os_error(f"{self.places.display(prefix)} cannot be made.", error, prefix) from error

    def _finish(self, prefix: Path, marker: Marker) -> None:
        try:
            write_marker(prefix, replace(marker, created=now(), state="ready"))
        except OSError as error:
            raise from_os_error(
                f"{self.places.display(prefix)} cannot be finished.", error, prefix
            ) from error

    def _unclaim(self, prefix: Path, job_id: str) -> Path | None:
        """Throw the prefix away if that job has made a part of it; where it is now.

        One that is whole stays: it was offered, and may have been used for days.
        """
        shutil.rmtree(self.places.claim(job_id), ignore_errors=True)
        marker = read_marker(prefix)
        if marker is None or marker.job != job_id or marker.state != "creating":
            return None
        return self.trash.throw_away(prefix)


@dataclass(frozen=True)
class _Wanted:
    """The request of a job: it was read from a disk, where anybody may have changed it."""

    name: str
    label: str
    specs: list[str]
    channels: list[str] | None
    pip: list[str]
    by: str
    cuda: str | None
    cuda_kept: str

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> _Wanted:
        specs, channels = request.get("specs"), request.get("channels")
        pip = request.get("pip") or []
        try:
            name, label = check_name(str(request.get("name"))), check_label(str(request.get("label")))
            if not (_are_texts(specs) and _are_texts(pip) and (channels is None or _are_texts(channels))):
                raise BadInputError("The packages or channels are no texts.")
        except BadInputError as error:
            raise BadInputError(
                "What this job was asked to do cannot be read any more.",
                reason=error.message,
                hint="Discard it, and create the environment anew.",
            ) from error
        cuda, kept = request.get("cuda_decided"), request.get("cuda_kept")
        return cls(
            name,
            label,
            list(specs or ()),
            list(channels) if channels else None,
            list(pip),
            str(request.get("by") or "JupyterLab"),
            str(cuda) if is_choice(cuda) and cuda != NONE else None,
            str(kept) if is_choice(kept) else "",
        )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _marked(prefix: Path) -> bool:
    return read_marker(prefix) is not None
