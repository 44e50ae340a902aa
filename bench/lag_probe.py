"""A server extension that tells how late its event loop is: loaded by benchmarks alone.

GET bench/lag answers the delays seen since the last such request, in ms, and forgets them. The first
one begins to watch, which takes processor time that others measure.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

TICK = 0.005
"""Seconds; how often the loop is asked to do nothing."""


class Probe:
    """Asks the loop for a call every tick and notes how much later it comes."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self.watch())

    async def watch(self) -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            late = max(0.0, time.perf_counter() - due)
            # Who asks for something while the loop is held up waits for the rest of it: one sample
            # a tick, lest a long pause counts no more than a short one.
            while late > TICK:
                self.delays.append(late * 1000)
                late -= TICK
            self.delays.append(late * 1000)


class LagHandler(APIHandler):
    def initialize(self, probe: Probe) -> None:
        self.probe = probe

    @web.authenticated
    def get(self) -> None:
        self.probe.begin()
        delays, self.probe.delays = self.probe.delays, []
        self.finish({"delays": delays})


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "bench.lag_probe"}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"].rstrip("/")
    server.web_app.add_handlers(".*$", [(f"{base}/bench/lag", LagHandler, {"probe": Probe()})])
