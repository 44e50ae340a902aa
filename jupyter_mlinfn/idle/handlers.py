"""Routes of the room `idle`; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from .room import IdleRoom


class IdleHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        service = await self.room(IdleRoom).service()
        self.answer(await service.answer())


class KeepAliveHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        seconds = self.body().get("seconds")
        service = await self.room(IdleRoom).service()
        self.answer(await service.keep_alive(seconds))


class PageHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        report = self.body()
        # What pages send by themselves is no sign of a person, for Jupyter Server's own timeout either.
        self._track_activity = "input_seconds_ago" in report
        service = await self.room(IdleRoom).service()
        await service.page(report)
        self.no_content()


class StopHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.body()
        service = await self.room(IdleRoom).service()
        self.answer(await service.stop(), status=202)


HANDLERS = [
    (r"idle", IdleHandler),
    (r"idle/keepalive", KeepAliveHandler),
    (r"idle/page", PageHandler),
    (r"idle/stop", StopHandler),
]
