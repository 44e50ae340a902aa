"""A server with JupyterLab in a browser, and what it costs while tabs of it are open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, Request, WebSocket

from jupyter_mlinfn.demo.driver import SimulatedDriver
from tests.support.server import TOKEN, Server, running

from .gpu_contestants import Contestant

SETTLED = 4.0
"""Seconds after which what an opened tab reads once has been read."""

_HIDE = """() => {
    Object.defineProperty(document, "visibilityState", {configurable: true, get: () => "hidden"});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@dataclass(frozen=True)
class Cost:
    """Of some seconds.

    Attributes:
        processor: seconds of the processor a second, of the server and its children.
        calls: of NVML, per minute.
        bytes: of the contestant's own requests, both ways, per minute.
    """

    processor: float
    calls: float
    bytes: float


@dataclass
class Stage:
    """A contestant's server with some tabs."""

    contestant: Contestant
    server: Server
    driver: SimulatedDriver
    browser: Browser
    tabs: list[Page] = field(default_factory=list)
    _context: BrowserContext | None = None
    _requests: list[Request] = field(default_factory=list)
    _framed: int = 0

    def open(self, number: int) -> None:
        """More tabs, until there are so many, each with all that the contestant shows."""
        if self._context is None:
            self._context = self.browser.new_context(viewport={"width": 1280, "height": 800})
            self._context.set_default_timeout(60_000)
        while len(self.tabs) < number:
            page = self._context.new_page()
            page.on("requestfinished", self._note)
            page.on("websocket", self._note_frames)
            # A workspace of its own: nothing of an earlier tab is open in it.
            page.goto(f"{self.server.url}/lab/workspaces/{uuid4().hex}?token={TOKEN}")
            page.locator("#jupyterlab-splash").wait_for(state="detached")
            page.locator(".jp-Launcher").wait_for()
            self.contestant.show(page)
            self.tabs.append(page)
        self.wait(SETTLED)

    def hide(self) -> None:
        """Tell the tabs that nobody sees them, as a browser does."""
        for page in self.tabs:
            page.evaluate(_HIDE)

    def close(self) -> None:
        if self._context is not None:
            self._context.close()
        self._context = None
        self.tabs.clear()

    def wait(self, seconds: float) -> None:
        """While the tabs go on."""
        self.tabs[0].wait_for_timeout(seconds * 1000)

    def cost(self, seconds: float) -> Cost:
        """Of as many seconds from now on."""
        self._requests.clear()
        self._framed = 0
        calls, processor, start = self.calls(), self.processor(), time.monotonic()
        self.wait(seconds)
        took = time.monotonic() - start
        processor, calls = self.processor() - processor, self.calls() - calls
        size = self._framed + sum(map(_size, self._requests))
        return Cost(processor / took, calls * 60 / took, size * 60 / took)

    def calls(self) -> int:
        """Of NVML so far."""
        return self.driver.calls().total()

    def processor(self) -> float:
        """Seconds that the server has used so far, and its children."""
        process = psutil.Process(self.server.process.pid)
        gone = process.cpu_times()
        alive = [process.pid, *(child.pid for child in process.children(recursive=True))]
        return sum(map(_processor_of, alive)) + gone.children_user + gone.children_system

    def _note(self, request: Request) -> None:
        if self.contestant.paths in request.url:
            self._requests.append(request)

    def _note_frames(self, socket: WebSocket) -> None:
        def note(frame: str | bytes) -> None:
            size = len(frame.encode() if isinstance(frame, str) else frame)
            # A frame's head: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
            self._framed += size + (2 if size < 126 else 4)

        if self.contestant.paths in socket.url:
            socket.on("framereceived", note)
            socket.on("framesent", note)


@contextmanager
def staged(contestant: Contestant, folder: Path, browser: Browser) -> Iterator[Stage]:
    """Its server runs, nobody looks."""
    platform, driver = contestant.platform(folder)
    with ExitStack() as stack:
        server = stack.enter_context(running(platform, lab=True, enabled=contestant.is_ours))
        stage = Stage(contestant, server, driver, browser)
        stack.callback(stage.close)
        yield stage


def _size(request: Request) -> int:
    sizes = request.sizes()
    sent = sizes["requestHeadersSize"] + sizes["requestBodySize"]
    return sent + sizes["responseHeadersSize"] + sizes["responseBodySize"]


def _processor_of(pid: int) -> float:
    """By the clock that Linux keeps for each process, in ns: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2) if Path(f"/proc/{pid}").exists() else 0.0
