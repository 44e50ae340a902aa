"""A server extension that tells how late its event loop is: loaded by benchmarks alone.

GET bench/lag answers the delays seen since the last such request, in ms, and forgets them. The first
one begins to watch, which takes processor time that others measure.

On a busy machine much of a delay is the loop's turn that did not come. Linux counts for each thread how
long it was ready to run and did not, and what is left without that is the server's own doing: code on
the loop, a thread that has the interpreter, a disk. https://docs.kernel.org/scheduler/sched-stats.html
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

TICK = 0.005
"""Seconds; how often the loop is asked to do nothing."""


class Probe:
    """Asks the loop for a call every tick and notes how much later it comes.

    Attributes:
        delays: ms.
        own: the same without the time that others had the processors; where Linux does not tell, with it.
    """

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.own: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self.watch())

    async def watch(self) -> None:
        ready = _Ready()
        while True:
            due, before = time.perf_counter() + TICK, ready.seconds()
            await asyncio.sleep(TICK)
            late = max(0.0, time.perf_counter() - due)
            self.own.append(max(0.0, late - (ready.seconds() - before)) * 1000)
            # Who asks for something while the loop is held up waits for the rest of it: one sample
            # a tick, lest a long pause counts no more than a short one.
            while late > TICK:
                self.delays.append(late * 1000)
                late -= TICK
            self.delays.append(late * 1000)


class _Ready:
    """How long this thread has been ready to run while others ran."""

    def __init__(self) -> None:
        self._file: int | None = None
        with suppress(OSError):  # A kernel without CONFIG_SCHED_INFO.
            self._file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def seconds(self) -> float:
        if self._file is None:
            return 0.0
        return int(os.pread(self._file, 100, 0).split()[1]) / 1e9


class LagHandler(APIHandler):
    def initialize(self, probe: Probe) -> None:
        self.probe = probe

    @web.authenticated
    def get(self) -> None:
        self.probe.begin()
        delays, self.probe.delays = self.probe.delays, []
        own, self.probe.own = self.probe.own, []
        self.finish({"delays": delays, "own": own})


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "bench.lag_probe"}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"].rstrip("/")
    server.web_app.add_handlers(".*$", [(f"{base}/bench/lag", LagHandler, {"probe": Probe()})])
