"""Routes of the room `gpu`; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from .service import GpuService


class GpuHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        service = self.room(GpuService)
        self.answer(await service.snapshot(self.query("since"), self.query("revision")))


class GpuReleaseHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.answer(await self.room(GpuService).release(self.body().get("kernels")))


HANDLERS = [
    (r"gpu", GpuHandler),
    (r"gpu/release", GpuReleaseHandler),
]
