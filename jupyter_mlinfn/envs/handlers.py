"""Routes of the room `envs`; see openapi.yaml."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from ..jobs.handlers import answer as job_answer
from ..jobs.manager import JobManager
from . import views
from .gpu_check.service import GpuCheck
from .revising import RevisionService, WantedChange
from .service import EnvironmentService


class EnvsHandler(MlinfnHandler):
    """Base of this room's handlers."""

    @property
    def envs(self) -> EnvironmentService:
        return self.room(EnvironmentService)

    @property
    def revising(self) -> RevisionService:
        return self.room(RevisionService)

    @property
    def gpu_check(self) -> GpuCheck:
        return self.room(GpuCheck)

    @property
    def jobs(self) -> JobManager:
        return self.room(JobManager)

    async def prepare(self, **kwargs: Any) -> None:
        # A channel typed in the form may hold a password, and this is what the server logs.
        if "channels" in self.request.query_arguments:
            self.request.uri = f"{self.request.path}?channels=***"
        await super().prepare(**kwargs)

    async def plan_or_do(self, environment_id: str, wanted: WantedChange, dry_run: bool | None) -> None:
        """Answer what a change would do, or start it."""
        if dry_run:
            self.answer(await self.revising.plan(environment_id, wanted))
        else:
            job = await self.revising.change(environment_id, wanted)
            self.answer({"job": job_answer(self.jobs, job)}, status=202)

    async def channels(self) -> Sequence[str] | None:
        """Channels of the query, instead of the configured ones; without credentials."""
        text = self.query("channels") or ""
        return await self.envs.channels([part.strip() for part in text.split(",") if part.strip()])


class EnvironmentListHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        found = await self.envs.list()
        running = await self.envs.running(found.environments)
        space, problem = await asyncio.gather(self.envs.space(), self.envs.problem())
        states = await self.revising.states(found.environments)
        cuda = await self.envs.cuda.now()
        checks = await self.gpu_check.known(found.environments)
        self.answer(views.listing(self.envs, found, running, space, problem, states, cuda, checks))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        wanted = await self.envs.check(
            body["label"],
            body.get("name"),
            body.get("specs", []),
            body.get("channels") or None,
            body.get("pip", []),
            body.get("cuda"),
        )
        if body.get("dry_run"):
            plan = await self.envs.plan(wanted)
            self.answer(views.plan(self.envs.places, wanted, plan, await self.envs.space()))
        else:
            job = await self.envs.create(wanted)
            self.answer({"job": job_answer(self.jobs, job)}, status=202)


class EnvironmentHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def get(self, environment_id: str) -> None:
        environment, packages = await self.envs.details(environment_id)
        drift = await self.revising.drift(environment)
        check = (await self.gpu_check.known([environment])).get(environment.id)
        self.answer(
            {
                "environment": await self._view(environment, check),
                "drift": drift,
                "gpu_check": check,
                "packages": [asdict(package) for package in packages],
            }
        )

    @web.authenticated
    @authorized
    async def patch(self, environment_id: str) -> None:
        environment = await self.envs.relabel(environment_id, self.body()["label"])
        check = (await self.gpu_check.known([environment])).get(environment.id)
        self.answer({"environment": await self._view(environment, check)})

    @web.authenticated
    @authorized
    async def delete(self, environment_id: str) -> None:
        job = await self.envs.remove(environment_id, stop_kernels=self.query("stop_kernels"))
        self.answer({"job": job_answer(self.jobs, job)}, status=202)

    async def _view(self, environment: Any, check: dict[str, Any] | None) -> dict[str, Any]:
        running = await self.envs.running([environment])
        state = (await self.revising.states([environment]))[environment.id]
        return views.environment(self.envs.places, environment, running[environment.id], *state, check)


class ChangesHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        body = self.body()
        await self.plan_or_do(environment_id, await self.revising.check(body), body.get("dry_run"))


class RollbackHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        body = self.body()
        wanted = WantedChange("rollback", target=body["revision"], expected=body.get("expected_revision"))
        await self.plan_or_do(environment_id, wanted, body.get("dry_run"))


class RevisionsHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def get(self, environment_id: str) -> None:
        self.answer(await self.revising.revisions(environment_id))


class AdoptHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        job = await self.revising.adopt(environment_id)
        self.answer({"job": job_answer(self.jobs, job)}, status=202)


class GpuCheckHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def post(self, environment_id: str) -> None:
        job = await self.gpu_check.check(environment_id)
        self.answer({"job": job_answer(self.jobs, job)}, status=202)


class PackageListHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        hits = await self.envs.engine.search(
            self.query("q"), channels=await self.channels(), limit=self.query("limit")
        )
        self.answer({"packages": [asdict(hit) for hit in hits]})


class PackageHandler(EnvsHandler):
    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        summary, versions = await self.envs.engine.versions(name, channels=await self.channels())
        self.answer({"name": name, "summary": summary, "versions": versions})


HANDLERS = [
    (r"envs", EnvironmentListHandler),
    (r"envs/([^/]+)", EnvironmentHandler),
    (r"envs/([^/]+)/changes", ChangesHandler),
    (r"envs/([^/]+)/revisions", RevisionsHandler),
    (r"envs/([^/]+)/rollback", RollbackHandler),
    (r"envs/([^/]+)/adopt", AdoptHandler),
    (r"envs/([^/]+)/gpu-check", GpuCheckHandler),
    (r"packages", PackageListHandler),
    (r"packages/([^/]+)", PackageHandler),
]
