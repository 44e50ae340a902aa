"""Routes of the room `storage`; see openapi.yaml."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from .room import StorageRoom


class StorageHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        service = await self.room(StorageRoom).service()
        self.answer(await service.answer())


class CountHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.body()
        service = await self.room(StorageRoom).service()
        service.begin_count()
        self.answer(await service.answer(), status=202)


class FilesHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        folder = self.query("folder")
        service = await self.room(StorageRoom).service()
        self.answer(await service.files(folder))


class PlaceHandler(MlinfnHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        path = self.query("path")
        service = await self.room(StorageRoom).service()
        self.answer(await service.place(path))


HANDLERS = [
    (r"storage", StorageHandler),
    (r"storage/count", CountHandler),
    (r"storage/files", FilesHandler),
    (r"storage/place", PlaceHandler),
]
