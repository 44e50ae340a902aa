"""What a user can do with environments; the same for the REST API and the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..errors import BadInputError, ConflictError, DependencyError, from_os_error
from ..jobs.manager import JobManager
from ..jobs.models import Job, JobContext
from . import create, names, remove
from .bytecode import BytecodeCompiler
from .catalogue import Catalogue
from .create import Creation, Installer, InstallPip
from .cuda import Choice, Cuda
from .cuda import check as check_cuda
from .marker import Marker, relabel
from .models import Environment, InstalledPackage, PackageHit, Plan
from .places import Places, Space
from .prefix import packages
from .redact import redact
from .remove import Removal
from .scan import ScanResult
from .trash import Trash
from .worker import pip_requirements
from .writer import Writers

NOT_ASKED = Choice(None, "none")


@dataclass(frozen=True)
class RunningKernel:
    """A kernel of this server."""

    kernel_id: str
    name: str
    path: str | None
    """The document that it belongs to."""


@dataclass(frozen=True)
class NewEnvironment:
    """What somebody asked for, checked."""

    name: str
    label: str
    specs: Sequence[str]
    channels: Sequence[str] | None
    pip: Sequence[str] = ()
    """Requirements that pip installs when the rest is there."""
    cuda: Choice = NOT_ASKED
    """For which CUDA its packages are chosen."""
    cuda_asked: str = ""
    """What was asked for in that: a version, ``none``, or nothing."""


class Kernels(Protocol):
    """The kernels of this server; the command line has none."""

    async def running(self) -> list[RunningKernel]: ...

    async def shut_down(self, kernel_id: str) -> None: ...


class Solver(Installer, Protocol):
    """The engine (`engine.Engine`)."""

    def warnings(self) -> list[str]: ...

    def take_logins(self, channels: Sequence[str]) -> list[str]: ...

    async def plan(
        self,
        specs: Sequence[str],
        *,
        channels: Sequence[str] | None = None,
        prefix: Path | None = None,
        cuda: str | None = None,
    ) -> Plan: ...

    async def search(
        self, query: str, *, channels: Sequence[str] | None = None, limit: int = 20
    ) -> list[PackageHit]: ...

    async def versions(
        self, name: str, *, channels: Sequence[str] | None = None
    ) -> tuple[str, list[str]]: ...

    async def close(self) -> None: ...


class EnvironmentService:
    """Lives on the event loop's thread; whatever reads disks goes to others."""

    def __init__(
        self,
        places: Places,
        engine: Solver,
        catalogue: Catalogue,
        jobs: JobManager,
        writers: Writers,
        kernels: Kernels,
        changed: Callable[[], None],
        cuda: Cuda,
        compiler: BytecodeCompiler,
    ) -> None:
        self.places = places
        self.cuda = cuda
        self.engine = engine
        self._catalogue = catalogue
        self._jobs = jobs
        self._kernels = kernels
        self._changed = changed
        self.compiler = compiler
        self._trash = Trash(places.trash)
        self._sweeping: asyncio.Task[object] | None = None
        self.by = "JupyterLab"
        """Who asks through this service, in the records of revisions."""
        self.install_pip: InstallPip = _nobody
        """Installs by pip; set by who makes changes (`revising.RevisionService`)."""
        creation = Creation(
            places,
            engine,
            catalogue,
            self._trash,
            self.compiler,
            lambda context, prefix, specs: self.install_pip(context, prefix, specs),
        )
        jobs.register(create.KIND, creation)
        jobs.register(remove.KIND, Removal(places, catalogue, self._trash, self.compiler, writers))

    async def start(self) -> None:
        """Write the kernels of what exists, and clear what an earlier server left in the trash."""
        await self._catalogue.look()
        self._sweeping = asyncio.ensure_future(asyncio.to_thread(self._trash.sweep))

    def stop_clearing(self) -> None:
        """Leave what is in the trash to the next server, so that this one ends at once."""
        self._trash.stop()

    async def close(self) -> None:
        await self.cuda.close()
        await self.compiler.stop()
        await self._catalogue.close()
        await self.engine.close()

    async def list(self) -> ScanResult:
        """All environments. Sizes that are not known yet are measured, and told as a change."""
        result = await self._catalogue.look()
        self._catalogue.measure_missing([*result.environments])
        return result

    async def space(self) -> Space:
        return await asyncio.to_thread(self.places.space)

    async def problem(self) -> str | None:
        """Why nothing can be created now, if so."""
        problem = await asyncio.to_thread(self.places.problem)
        return str(problem) if problem is not None else None

    async def details(self, environment_id: str) -> tuple[Environment, Sequence[InstalledPackage]]:
        """One environment, measured, with its packages.

        Raises:
            NotFoundError: there is none of that id.
        """
        environment = await self._catalogue.find(environment_id)
        try:
            if environment.size is None:
                environment = await self._catalogue.measure(environment)
            return environment, await asyncio.to_thread(packages, environment.prefix)
        except OSError as error:
            raise from_os_error(f"{environment.label} cannot be read.", error) from error

    async def running(self, environments: Sequence[Environment]) -> dict[str, Sequence[RunningKernel]]:
        """The kernels that run in each environment, by the environment's id."""
        # Names on disk are lower case; nb_conda_kernels keeps those of the prefix.
        owners = {kernel.name.lower(): e.id for e in environments for kernel in e.kernels}
        found: dict[str, list[RunningKernel]] = {environment.id: [] for environment in environments}
        for kernel in await self._kernels.running():
            if owner := owners.get(kernel.name.lower()):
                found[owner].append(kernel)
        return dict(found)

    async def check(
        self,
        label: str,
        name: str | None,
        specs: Sequence[str],
        channels: Sequence[str] | None,
        pip: Sequence[str] = (),
        cuda: str | None = None,
    ) -> NewEnvironment:
        """What was asked for, or why it cannot be.

        Raises:
            BadInputError: label, name, packages, channels or version of CUDA will not do.
            ConflictError: the name is taken.
        """
        channels = await self.channels(channels)
        check_specs(specs)
        pip = [requirement.strip() for requirement in pip if requirement.strip()]
        check_requirements(pip, field="pip")
        label = names.check_label(label)
        name = names.check_name(name) if name else names.name_for(label)
        prefix = self.places.prefix(name)
        if await asyncio.to_thread(lambda: prefix.exists() or prefix.is_symlink()):
            raise ConflictError(
                f"There is already an environment {name}.",
                reason=f"{self.places.display(prefix)} exists.",
                hint="Choose another name, or remove that one first.",
                fields={"name": [{"value": name, "message": "This name is taken."}]},
            )
        return NewEnvironment(
            name,
            label,
            [spec.strip() for spec in specs if spec.strip()],
            channels,
            pip,
            await self.cuda.decide(cuda),
            check_cuda(cuda),
        )

    async def channels(self, channels: Sequence[str] | None) -> Sequence[str] | None:
        """The channels without credentials, which the engine keeps in memory only.

        Raises:
            BadInputError: one cannot be a channel.
        """
        return await asyncio.to_thread(self.engine.take_logins, channels) if channels else None

    async def plan(self, wanted: NewEnvironment) -> Plan:
        """What creating it would install.

        Raises:
            UnsolvableError, BadInputError, DependencyError, NoSpaceError: see `engine.Engine.plan`.
        """
        return await self.engine.plan(
            wanted.specs,
            channels=wanted.channels,
            prefix=self.places.prefix(wanted.name),
            cuda=wanted.cuda.version,
        )

    async def create(self, wanted: NewEnvironment) -> Job:
        """Start the job that makes it.

        Raises:
            NotFoundError, NotAllowedError, NoSpaceError: the private storage will not do.
        """
        try:
            await asyncio.to_thread(self.places.prepare)
            return await self._jobs.submit(
                create.KIND,
                f"Create {wanted.label}",
                subject={"name": wanted.name, "label": wanted.label},
                request={
                    "name": wanted.name,
                    "label": wanted.label,
                    "specs": list(wanted.specs),
                    "channels": list(wanted.channels) if wanted.channels else None,
                    "pip": list(wanted.pip),
                    "cuda": wanted.cuda_asked or None,
                    # Now, so that another server that takes it up makes the same.
                    "cuda_decided": wanted.cuda.text,
                    "cuda_kept": wanted.cuda.kept,
                    "by": self.by,
                },
            )
        except OSError as error:
            raise from_os_error(f"{wanted.label} cannot be created.", error) from error

    async def relabel(self, environment_id: str, label: str) -> Environment:
        """Change the label; the name stays.

        Raises:
            NotFoundError, NotAllowedError, BadInputError: no such one, not the user's, no label.
        """
        label = names.check_label(label)
        environment = await self.own(environment_id)
        marker = Marker(
            name=environment.name,
            label=label,
            created=environment.created.isoformat() if environment.created else "",
            state="ready",
            specs=list(environment.requested_specs),
            channels=list(environment.channels),
            job="",
            cuda=environment.cuda,
        )
        try:
            await asyncio.to_thread(relabel, environment.prefix, label, marker)
        except OSError as error:
            raise from_os_error(f"{environment.label} cannot be renamed.", error) from error
        self._changed()
        return replace(await self._catalogue.find(environment_id), label=label)

    async def remove(self, environment_id: str, *, stop_kernels: bool) -> Job:
        """Start the job that removes it.

        Args:
            stop_kernels: shut the kernels down that run in it.
        Raises:
            NotFoundError, NotAllowedError: no such one, or not the user's.
            ConflictError: kernels run in it, and they are not to be stopped.
        """
        environment = await self.own(environment_id)
        running = (await self.running([environment]))[environment.id]
        if running and not stop_kernels:
            where = ", ".join(kernel.path or kernel.name for kernel in running)
            raise ConflictError(
                f"{len(running)} kernel(s) run in {environment.label}.",
                reason=f"They belong to: {where}.",
                hint="Shut them down, or have that done with the removal.",
            )
        for kernel in running:
            await self._kernels.shut_down(kernel.kernel_id)
        try:
            return await self._jobs.submit(
                remove.KIND,
                f"Remove {environment.label}",
                subject={"env_id": environment.id, "name": environment.name, "label": environment.label},
                request={
                    "prefix": str(environment.prefix),
                    "created": environment.created.isoformat() if environment.created else None,
                },
            )
        except OSError as error:
            raise from_os_error(f"{environment.label} cannot be removed.", error) from error

    async def own(self, environment_id: str) -> Environment:
        """One of the user's own environments.

        Raises:
            NotFoundError, NotAllowedError: there is none of that id, or it is not the user's.
        """
        environment = await self._catalogue.find(environment_id)
        await asyncio.to_thread(self.places.check_own, environment.prefix)
        return environment


async def _nobody(context: JobContext, prefix: Path, specs: Sequence[str]) -> None:
    raise DependencyError("Nothing here can install by pip.", hint="Install it with conda instead.")


def check_requirements(requirements: Sequence[str], *, field: str = "specs") -> None:
    """Refuse what pip must not be given.

    Raises:
        BadInputError: with ``fields[field]``, see `pip_requirements.check`.
    """
    try:
        pip_requirements.check(requirements)
    except BadInputError as error:
        error.fields = {field: error.fields["specs"]}
        raise


def check_specs(specs: Sequence[str]) -> None:
    """Refuse what must not be stored with the environment, or cannot be a text of conda's."""
    bad = []
    for spec in specs:
        if redact(spec) != spec:
            bad.append({"value": spec, "message": "it holds a password or token: give the channel instead"})
        elif not spec.isprintable():
            bad.append({"value": spec, "message": "it has control characters"})
    if bad:
        raise BadInputError(
            "Not a package and version: " + ", ".join(repr(redact(entry["value"])) for entry in bad) + ".",
            reason="; ".join(entry["message"] for entry in bad),
            hint="Write a name, and a version if you need one: numpy, numpy=2.1, 'numpy >=2,<3'.",
            fields={"specs": bad},
        )
