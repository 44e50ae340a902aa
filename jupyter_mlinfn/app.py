"""The server extension: reads traits, builds the rooms, wires them. No logic."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp

from . import wiring
from .api import PREFIX
from .config import ROOT_VARIABLE, MlinfnConfig
from .envs import coexistence
from .envs import handlers as envs_handlers
from .envs.gpu_check.service import GpuCheck
from .envs.kernelspecs import KernelspecWriter
from .envs.revising import RevisionService
from .envs.service import EnvironmentService
from .envs.space import handlers as space_handlers
from .envs.space.service import SpaceService
from .events import Events
from .gpu import handlers as gpu_handlers
from .gpu.room import GpuRoom
from .idle import handlers as idle_handlers
from .idle.clocks import Clocks
from .idle.room import IdleRoom
from .jobs import handlers as jobs_handlers
from .jobs.manager import JobManager
from .programs import ServerKernels, ServerPrograms
from .session import handlers as session_handlers
from .session.room import SessionRoom
from .storage import handlers as storage_handlers
from .storage.rescue import handlers as rescue_handlers
from .storage.rescue.service import RescueService
from .storage.room import StorageRoom

if TYPE_CHECKING:
    from .idle.ending import Limits


class MlinfnApp(MlinfnConfig, ExtensionApp):
    """Conda environments of one's own, from the launcher to a running kernel."""

    name = "jupyter_mlinfn"
    clocks: Clocks | None = None
    limits: Limits | None = None
    """By which an idle server is stopped; None: the machine's clocks, and the limits that the class has."""

    _rooms: wiring.Rooms | None = None
    _starting: asyncio.Task[None] | None = None

    def initialize_settings(self) -> None:
        server: Any = self.serverapp
        # For `jupyter mlinfn` in terminals and notebooks of this server.
        os.environ[ROOT_VARIABLE] = str(Path(server.root_dir).resolve())
        events = Events(server.event_logger)
        self._rooms = wiring.build(
            self,
            Path(server.root_dir).resolve(),
            ServerKernels(server),
            programs=ServerPrograms(server),
            job_changed=events.job_changed,
            environments_changed=events.environments_changed,
            gpu_changed=events.gpu_changed,
            idle_changed=events.idle_changed,
            storage_changed=events.storage_changed,
            session_changed=events.session_changed,
            server=server,
            clocks=self.clocks,
            limits=self.limits,
            coexist=self._coexist,
        )

    def _coexist(self, writer: KernelspecWriter) -> Callable[[], None]:
        server: Any = self.serverapp
        merged = coexistence.install(server.kernel_spec_manager, self.log, writer=writer)
        return merged.refresh_soon if merged is not None else lambda: None

    def initialize_handlers(self) -> None:
        assert self._rooms is not None  # noqa: S101 - initialize_settings comes first
        rooms: dict[type, Any] = {
            JobManager: self._rooms.jobs,
            EnvironmentService: self._rooms.envs,
            RevisionService: self._rooms.revising,
            SpaceService: self._rooms.space,
            GpuCheck: self._rooms.gpu_check,
            GpuRoom: self._rooms.gpu,
            IdleRoom: self._rooms.idle,
            StorageRoom: self._rooms.storage,
            SessionRoom: self._rooms.session,
            RescueService: self._rooms.rescue,
        }
        for pattern, handler in (
            *envs_handlers.HANDLERS,
            *space_handlers.HANDLERS,
            *jobs_handlers.HANDLERS,
            *gpu_handlers.HANDLERS,
            *idle_handlers.HANDLERS,
            *storage_handlers.HANDLERS,
            *session_handlers.HANDLERS,
            *rescue_handlers.HANDLERS,
        ):
            parameter = "{name}" if pattern.startswith("packages") else "{id}"
            route = "/" + pattern.replace("([^/]+)", parameter)
            self.handlers.append((f"{PREFIX}/{pattern}", handler, {"rooms": rooms, "route": route}))

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        # Behind the server's back: its start waits for nobody's disk.
        self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        assert self._rooms is not None  # noqa: S101 - initialize_settings comes first
        self._rooms.gpu.start()
        self._rooms.idle.start()
        try:
            # Before the trash is cleared.
            await self._rooms.space.start()
            await self._rooms.envs.start()
            await self._rooms.jobs.recover()
            await self._rooms.rescue.recover()
            await self._rooms.revising.start()
        except OSError as error:
            self.log.warning("The user's storage does not answer: %s", error)

    async def stop_extension(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        if self._rooms is not None:
            await self._rooms.close()
