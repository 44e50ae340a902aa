"""Route of the rescue; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ...api import MlinfnHandler
from ...jobs.handlers import answer
from ...jobs.manager import JobManager
from .service import RescueService


class RescueHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        job = await self.room(RescueService).start(body["paths"], without=body.get("except", ()))
        self.answer({"job": answer(self.room(JobManager), job)}, status=202)


HANDLERS = [(r"storage/rescue", RescueHandler)]
