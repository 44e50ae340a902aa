"""Builds the rooms from the configuration, for the server extension and the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import MlinfnConfig
from .envs.activation import ActivationCache
from .envs.bytecode import BytecodeCompiler
from .envs.catalogue import Catalogue
from .envs.cuda import Cuda, Driver
from .envs.engine import Engine
from .envs.gpu_check.service import GpuCheck
from .envs.kernelspecs import KernelspecWriter
from .envs.places import Places
from .envs.revising import RevisionService
from .envs.scan import EnvironmentScanner, find_base_prefix
from .envs.service import EnvironmentService, Kernels
from .envs.sources import EngineSettings
from .envs.space.service import SpaceService
from .envs.writer import Writers, this_server
from .gpu.room import GpuRoom
from .idle.clocks import Clocks
from .idle.others import Others, Rescue
from .idle.room import IdleRoom
from .jobs.journal import Journal
from .jobs.manager import JobManager
from .session import again
from .session.around import Around, Gpus
from .session.room import SessionRoom
from .storage.rescue.ground import Ground
from .storage.rescue.service import RescueService
from .storage.room import StorageRoom

if TYPE_CHECKING:
    from .gpu.models import Program
    from .gpu.release import Programs
    from .idle.ending import Limits
    from .storage.service import StorageService


@dataclass(frozen=True)
class Rooms:
    """The services, wired."""

    jobs: JobManager
    envs: EnvironmentService
    revising: RevisionService
    space: SpaceService
    gpu: GpuRoom
    gpu_check: GpuCheck
    idle: IdleRoom
    storage: StorageRoom
    rescue: RescueService
    session: SessionRoom

    async def close(self) -> None:
        await self.idle.close()
        self.session.close()
        await self.storage.close()
        await self.rescue.close()
        self.gpu.close()
        self.envs.stop_clearing()
        await self.revising.close()
        await self.space.close()
        await self.jobs.close()
        await self.envs.close()


def build(
    config: MlinfnConfig,
    root: Path,
    kernels: Kernels,
    *,
    programs: Programs | None = None,
    job_changed: Callable[[str], None] = lambda _: None,
    environments_changed: Callable[[], None] = lambda: None,
    gpu_changed: Callable[[], None] = lambda: None,
    idle_changed: Callable[[], None] = lambda: None,
    storage_changed: Callable[[], None] = lambda: None,
    session_changed: Callable[[], None] = lambda: None,
    server: Any = None,
    clocks: Clocks | None = None,
    limits: Limits | None = None,
    coexist: Callable[[KernelspecWriter], Callable[[], None]] = lambda _: _nothing,
    by: str = "JupyterLab",
    who: str = "",
) -> Rooms:
    """The services of one user.

    Args:
        root: the folder that the user's JupyterLab shows.
        kernels: those of this server.
        server: the `ServerApp`; default: there is none.
        clocks, limits: by which idle servers are stopped; default: the machine's, and those of `Limits`.
        programs: kernels and terminals with their processes; default: there are none.
        job_changed, environments_changed, gpu_changed, idle_changed, storage_changed, session_changed:
            called on the event loop's thread.
        coexist: told who writes the kernelspecs; gives what makes other providers of kernels
            look again, see `Catalogue`.
        by: who asks, in the records of revisions: ``JupyterLab`` or ``command line``.
        who: who writes, for the user's other servers to tell; default: this server.
    """
    places = Places.find(root, config.private_dir, config.shared_environments)
    cache = Path(config.package_cache).expanduser() if config.package_cache else places.packages
    engine = Engine(
        EngineSettings(
            channels=list(config.channels),
            pkgs_dir=cache,
            repodata_dir=places.repodata,
            shared_pkgs=[Path(folder).expanduser() for folder in config.shared_package_caches],
            memory_budget=config.memory_budget,
            solve_timeout=config.solve_timeout,
            stall_timeout=config.stall_timeout,
        )
    )
    activations = ActivationCache(places.state / "activation")
    writer = KernelspecWriter(activations=activations)
    scanner = EnvironmentScanner(
        places.environments,
        places.shared,
        base_prefix=find_base_prefix(),
        remembered=writer.prefixes,
    )

    def tell_of_job(job_id: str) -> None:
        job_changed(job_id)
        rescue.job_changed(job_id)

    jobs = JobManager(Journal(places.jobs), tell_of_job)
    catalogue = Catalogue(scanner, writer, environments_changed, coexist(writer))
    writers = Writers(places, who or this_server())
    cuda = Cuda(places, site=config.cuda_version, who=who or this_server(), changed=environments_changed)
    compiler = BytecodeCompiler(catalogue.forget_size, wanted=config.compile_environments)
    envs = EnvironmentService(
        places, engine, catalogue, jobs, writers, kernels, environments_changed, cuda, compiler
    )
    revising = RevisionService(envs, engine, catalogue, jobs, writers, environments_changed, by=by)
    space = SpaceService(places, cache, config.revisions_limit, envs, jobs, writers, environments_changed)
    revising.kept, revising.trim = space.kept, space.trim
    gpu = GpuRoom(programs, changed=gpu_changed, accounting=config.gpu_accounting)
    gpu.driver_known, cuda.ask = cuda.saw, _asks(gpu)
    cuda.simulated = lambda: gpu.simulated
    gpu_check = GpuCheck(
        places,
        catalogue,
        jobs,
        writers,
        activations,
        cuda,
        revising.outside.known,
        environments_changed,
        who=who or this_server(),
        devices=gpu.devices,
    )
    idle = IdleRoom(
        config,
        server,
        changed=idle_changed,
        state=places.state,
        anchor=places.anchor,
        clocks=clocks,
        limits=limits,
    )

    def files_changed() -> None:
        storage_changed()
        session.counted()

    storage = StorageRoom(
        config,
        root,
        places.environments,
        private_dir=config.private_dir,
        shared=list(config.shared_environments),
        changed=files_changed,
    )
    rescue = RescueService(jobs, _ground(storage), limit=config.rescue_at_stop, changed=files_changed)

    def have_rescue(service: StorageService) -> None:
        service.rescue = rescue.answer

    storage.made = have_rescue
    session = SessionRoom(
        Around(
            end=idle.for_session,
            storage=storage.service,
            last_stop=idle.last_stop,
            gpu=gpu.reading,
            gpus=_gpus(gpu),
            terminals=_terminals(programs),
            environment=dict(os.environ),
            command=config.start_command or again.command(sys.orig_argv),
            changed=session_changed,
            **({"log": server.log} if server is not None else {}),
        )
    )
    idle.others = Others(_at_the_end(rescue), session.freed, _lost(storage), session.moved)
    return Rooms(jobs, envs, revising, space, gpu, gpu_check, idle, storage, rescue, session)


def _at_the_end(rescue: RescueService) -> Rescue:
    async def at_the_end(
        paths: Sequence[str] | None, seconds: float, began: Callable[[str], None]
    ) -> Mapping[str, Any] | None:
        # What somebody chose is limited by the room alone.
        limit = rescue.limit if paths is None else None
        return await rescue.at_the_end(limit, seconds, paths=paths, began=began)

    return at_the_end


def _lost(storage: StorageRoom) -> Callable[[], dict[str, int] | None]:
    def lost() -> dict[str, int] | None:
        known = storage.known()
        if known is None or known["state"] != "known":
            return None
        return {"files": known["files"], "bytes": known["bytes"]}

    return lost


def _gpus(gpu: GpuRoom) -> Callable[[], Gpus]:
    def gpus() -> Gpus:
        held = gpu.held
        if not held:
            return Gpus()
        from .gpu.views import name

        slices = [each.slices for each in held if each.slices is not None]
        return Gpus([name(each) for each in held], sum(slices) if slices else None)

    return gpus


def _terminals(programs: Programs | None) -> Callable[[], Awaitable[Sequence[Program]]]:
    async def terminals() -> Sequence[Program]:
        running = await programs.running() if programs is not None else []
        return [each for each in running if each.kind == "terminal"]

    return terminals


def _ground(storage: StorageRoom) -> Callable[[], Awaitable[Ground]]:
    async def ground() -> Ground:
        service = await storage.service()
        private = await service.private()
        if private is None:
            return Ground(await service.plan(), None, await service.no_private())
        return Ground(await service.plan(), private.path, "", private.root_path or private.path)

    return ground


def _asks(gpu: GpuRoom) -> Callable[[], Awaitable[Driver | None]]:
    async def ask() -> Driver | None:
        said = await gpu.ask_driver()
        return Driver(*said) if said is not None else None

    return ask


def _nothing() -> None:
    """Nobody else provides kernels."""
