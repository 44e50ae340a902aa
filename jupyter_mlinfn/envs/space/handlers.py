"""Routes for the space that environments take; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...api import MlinfnHandler
from ...jobs.handlers import answer as job_answer
from ...jobs.manager import JobManager
from .service import SpaceService


class SpaceHandler(MlinfnHandler):
    @property
    def space(self) -> SpaceService:
        return self.room(SpaceService)

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(await self.space.use())

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        await self.space.set_limit(self.body()["revisions_limit"])
        self.answer(await self.space.use())


class PruneHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        space = self.room(SpaceService)
        cache, revisions = bool(body.get("cache")), body.get("revisions") or []
        if body.get("dry_run"):
            self.answer(await space.plan(cache=cache, revisions=revisions))
        else:
            job = await space.prune(cache=cache, revisions=revisions)
            self.answer({"job": job_answer(self.room(JobManager), job)}, status=202)


HANDLERS = [
    (r"space", SpaceHandler),
    (r"space/prune", PruneHandler),
]
