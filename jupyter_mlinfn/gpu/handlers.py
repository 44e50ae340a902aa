"""Routes of the room `gpu`; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from .room import GpuRoom


class GpuHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        service = await self.room(GpuRoom).service()
        self.answer(await service.snapshot(self.query("since"), self.query("revision")))


class GpuReleaseHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        kernels = self.body().get("kernels")
        service = await self.room(GpuRoom).service()
        self.answer(await service.release(kernels))


HANDLERS = [
    (r"gpu", GpuHandler),
    (r"gpu/release", GpuReleaseHandler),
]
