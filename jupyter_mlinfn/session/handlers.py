"""Routes of the room `session`; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from .room import SessionRoom


class SessionHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        service = await self.room(SessionRoom).service()
        self.answer(await service.answer())


class SurveyHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.body()
        service = await self.room(SessionRoom).service()
        self.answer(await service.survey())


class StopHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        service = await self.room(SessionRoom).service()
        told = await service.stop(body["when"], body.get("keep", True), save=body.get("save", True))
        self.answer(told, status=202)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        service = await self.room(SessionRoom).service()
        self.answer(await service.call_off())


class WelcomeHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        service = await self.room(SessionRoom).service()
        self.answer(await service.stopped())

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.body()
        service = await self.room(SessionRoom).service()
        await service.seen()
        self.no_content()


HANDLERS = [
    (r"session", SessionHandler),
    (r"session/survey", SurveyHandler),
    (r"session/stop", StopHandler),
    (r"session/welcome", WelcomeHandler),
]
