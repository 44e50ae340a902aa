"""A server whose clock a test turns: hours without anybody pass in a request.

    with by_our_clock(platform) as server:
        pass_time(server, 5400)

The extension under test, on a real server, with a clock in place of the machine's. It stands still
until it is turned, so that nothing of the room `idle` becomes due meanwhile, however long a page takes
to load; and the end waits for pages, and for the storage, as long as they need.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_mlinfn.api import AUTH_RESOURCE
from jupyter_mlinfn.app import MlinfnApp
from jupyter_mlinfn.idle.clocks import Clocks
from jupyter_mlinfn.idle.ending import Limits
from jupyter_mlinfn.idle.room import IdleRoom

from .clock import Clock
from .patience import PATIENCE
from .server import Platform, Server, running

ROUTE = "api/clock-of-the-tests"


class TurnedApp(MlinfnApp):
    """As admins install it, but for its clock."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.clock = Clock()
        # Stamps of files and terminals are of the machine's.
        self.clock.offset = time.time() - self.clock.now
        self.clocks = Clocks(self.clock, self.clock.wall, self.clock)
        # These are by the machine's clock.
        self.limits = Limits(write=PATIENCE, outside=PATIENCE, end=PATIENCE)

    def initialize_handlers(self) -> None:
        super().initialize_handlers()
        assert self._rooms is not None
        self.handlers.append((f"/{ROUTE}", ClockHandler, {"clock": self.clock, "idle": self._rooms.idle}))


class ClockHandler(APIHandler):
    """Turns the clock, and lets the room do what is due."""

    auth_resource = AUTH_RESOURCE

    def initialize(self, clock: Clock, idle: IdleRoom) -> None:
        self._clock = clock
        self._idle = idle

    @web.authenticated
    @authorized
    async def post(self) -> None:
        service = await self._idle.service()
        # A look that is under way has not taken hours.
        await service.account.refresh()
        self._clock.pass_time(json.loads(self.request.body)["seconds"])
        await service.tick()
        self.set_status(204)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__, "app": TurnedApp}]


@contextmanager
def by_our_clock(
    platform: Platform, *, lab: bool = True, port: int = 0, arguments: Sequence[str] = ()
) -> Iterator[Server]:
    """As `running`."""
    file = platform.folder / "config" / "jupyter_server_config.d" / "turned.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"ServerApp": {"jpserver_extensions": {__name__: True}}}))
    with running(platform, lab=lab, enabled=False, port=port, arguments=arguments) as server:
        yield server


def pass_time(server: Server, seconds: float) -> None:
    """Whatever is due within it has begun when this returns."""
    status, answer = server.request("POST", ROUTE, {"seconds": seconds})
    assert status == 204, answer
