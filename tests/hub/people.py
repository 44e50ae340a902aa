"""What people and their pages do on a server, and what they leave behind, by the server's own API."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import websocket
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from ..support.hub import HubServer
from ..support.patience import PATIENCE
from ..support.server import wait_for
from ..ui.conftest import CHROMIUM, CHROMIUM_ARGUMENTS

POLL_EVERY = 10.0
"""Seconds between two looks of a visible JupyterLab at kernels, sessions and terminals."""

WITNESS = """
window.mlinfnTold = { page: false, desktop: false };
setInterval(() => {
  const shown = [...document.querySelectorAll('.Toastify__toast, dialog[open]')]
    .some(each => /This server (stops at|is about to stop)/.test(each.textContent));
  window.mlinfnTold.page ||= shown && document.visibilityState === 'visible';
}, 200);
window.Notification = class extends window.Notification {
  constructor(title, options) {
    super(title, options);
    window.mlinfnTold.desktop ||= /stop/.test(title);
  }
};
"""
"""Runs in each page: what a person could have seen, looked at when the server is gone."""

HIDDEN = """
Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
document.dispatchEvent(new Event('visibilitychange'));
"""

TRAIN = """
import time
while True:
    began = time.process_time()
    while time.process_time() - began < 0.15:
        pass
    time.sleep(0.85)
"""
"""Takes a seventh of a core for ever, and prints nothing: many of them run at once here."""


class Socket:
    """A page's websocket through the proxy; answers pings as a browser does."""

    def __init__(self, server: HubServer, path: str) -> None:
        self.heard: list[Any] = []
        self._socket = websocket.create_connection(
            server.url.replace("http:", "ws:") + "/" + path,
            header={"Authorization": f"token {server.hub.token(server.user)}"},
            timeout=PATIENCE,
        )
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def send(self, message: Any) -> None:
        """JSON; what cannot be sent any more is lost."""
        with suppress(OSError, websocket.WebSocketException):
            self._socket.send(json.dumps(message))

    def close(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=1)
        self._thread.join(PATIENCE)

    def _listen(self) -> None:
        with suppress(OSError, websocket.WebSocketException, ValueError, AttributeError):
            while text := self._socket.recv():
                self.heard.append(json.loads(text))


@dataclass
class Kernel:
    """Of a notebook that is open in a page."""

    id: str
    socket: Socket
    session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def execute(self, code: str) -> str:
        """Ask for it, and wait for nothing.

        Returns:
            The request's id.
        """
        header = {
            **{"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": self.session},
            **{"username": "tests", "version": "5.3"},
        }
        content = {"code": textwrap.dedent(code), "silent": False, "store_history": True}
        self.socket.send(
            {
                **{"channel": "shell", "header": header, "parent_header": {}, "metadata": {}},
                "content": {**content, "user_expressions": {}, "allow_stdin": True, "stop_on_error": True},
            }
        )
        return header["msg_id"]

    def run(self, code: str) -> str:
        """What it prints, once it has ended."""
        asked = self.execute(code)
        wait_for(lambda: any(state == "idle" for state in self._states(asked)))
        told = [each for each in self.socket.heard if each["parent_header"].get("msg_id") == asked]
        assert not [each for each in told if each["msg_type"] == "error"], told
        return "".join(each["content"]["text"] for each in told if each["msg_type"] == "stream")

    def runs(self, asked: str) -> bool:
        return "busy" in self._states(asked)

    def asks(self) -> bool:
        return any(each["msg_type"] == "input_request" for each in self.socket.heard)

    def _states(self, asked: str) -> Iterator[str]:
        for each in list(self.socket.heard):
            if each["msg_type"] == "status" and each["parent_header"].get("msg_id") == asked:
                yield each["content"]["execution_state"]


class Stage:
    """One server, and what happens on it.

    Attributes:
        mine: with our extension.
        acted: when a person did something last (monotonic), where that was before the end of setting up.
        step: what a person goes on doing, called a few times a minute at least.
        closers: ends whatever was begun; the servers' processes end with their hub.
        told: looks into the page what a person was told there: `page`, `desktop`.
        after: once the server is gone; what the page says then.
    """

    def __init__(self, server: HubServer, browsers: Browsers | None, *, mine: bool) -> None:
        self.server = server
        self.browsers = browsers
        self.mine = mine
        self.acted: float | None = None
        self.closers = ExitStack()
        self.step: Callable[[], None] = lambda: None
        self.told: Callable[[], list[str]] = list
        self.after: Callable[[], str] = str

    # As a page does

    def kernel(self, path: str = "notebook.ipynb") -> Kernel:
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        status, session = self.server.request("POST", "api/sessions", body)
        assert status == 201, session
        kernel_id = session["kernel"]["id"]
        return Kernel(kernel_id, self.socket(f"api/kernels/{kernel_id}/channels"))

    def terminal(self) -> tuple[str, Socket]:
        """Name, and its socket, with the shell's prompt on it."""
        status, terminal = self.server.request("POST", "api/terminals")
        assert status == 200, terminal
        name = terminal["name"]
        socket = self.socket(f"terminals/websocket/{name}")
        wait_for(lambda: any(each[0] == "stdout" for each in list(socket.heard)))
        return name, socket

    def type(self, socket: Socket, line: str) -> None:
        socket.send(["stdin", f"{line}\r"])

    def close_terminal(self, name: str, socket: Socket) -> None:
        """The terminal, and not only its tab."""
        socket.close()
        status, body = self.server.request("DELETE", f"api/terminals/{name}")
        assert status == 204, body

    def socket(self, path: str) -> Socket:
        socket = Socket(self.server, path)
        self.closers.callback(socket.close)
        return socket

    def use_page(self) -> None:
        """A person's input, as a page reports it, and the page's end; without us a request is all that
        shows."""
        self.server.get("api/kernels")
        if self.mine:
            page = uuid.uuid4().hex
            for report in ({"input_seconds_ago": 0, "visible": True}, {"closing": True}):
                status, body = self.server.request("POST", "api/mlinfn/idle/page", {"page": page, **report})
                assert status == 204, body

    @contextmanager
    def somebody_there(self) -> Iterator[None]:
        """A person uses the server until the context ends: however long it takes, it is not idle."""
        outer, self.closers = self.closers, ExitStack()
        self.use_page()
        self.every(1, self.use_page)
        using, self.closers = self.closers, outer
        with using:
            yield

    def leave_tab(self) -> None:
        """A visible JupyterLab that nobody looks at: its events, and its looks at what runs. The sockets
        of kernels and terminals stay open besides."""
        self.socket("api/events/subscribe")
        self.every(POLL_EVERY, self._poll)

    def _poll(self) -> None:
        for path in ("api/kernels", "api/sessions", "api/terminals", "api/status"):
            self.server.request("GET", path)

    def every(self, seconds: float, act: Callable[[], object]) -> None:
        """In a thread, until the end."""
        ended = threading.Event()

        def go() -> None:
            while not ended.wait(seconds):
                # What fails is done again; where it always does, the server sees nobody.
                with suppress(OSError, AssertionError):
                    act()

        thread = threading.Thread(target=go, daemon=True)
        thread.start()
        self.closers.callback(thread.join, PATIENCE)
        self.closers.callback(ended.set)

    def script(self, name: str, text: str) -> Path:
        file = self.server.platform.root / "private" / name
        file.write_text(text)
        return file

    # In a browser

    def page(self, *, alone: bool = False) -> Page:
        """One of the user's, who has allowed notifications.

        Args:
            alone: in a browser of its own.
        """
        assert self.browsers is not None
        browser = self.browsers.another() if alone else self.browsers.shared
        context: BrowserContext = browser.new_context(reduced_motion="reduce")
        self.closers.callback(_quietly, context.close)
        context.add_cookies(self.server.hub.cookies(self.server.user))  # type: ignore[arg-type]
        context.grant_permissions(["notifications"])
        context.add_init_script(WITNESS)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()

        def told() -> list[str]:
            seen = page.evaluate("() => window.mlinfnTold") or {}
            return [where for where in ("page", "desktop") if seen.get(where)]

        self.told = told
        return page

    def lab(self, *, alone: bool = False) -> Page:
        """JupyterLab with a notebook and its kernel, idle; where our extension is, the GPU panel too."""
        with self.somebody_there():
            page = self.page(alone=alone)
            page.goto(f"{self.server.url}/lab/tree/notebook.ipynb?reset")
            page.locator("#jupyterlab-splash").wait_for(state="detached")
            page.get_by_role("button", name="| Idle").wait_for()
            if self.mine:
                page.locator("li.lm-TabBar-tab[data-id=jupyter-mlinfn-gpu]").click()
                page.locator(".jp-mlinfn-Gpu").wait_for()
        self.acted = time.monotonic()
        # It may have been warned while it was loaded: the panel was opened by hand.
        page.wait_for_function("() => !document.querySelector('.Toastify__toast')")
        page.evaluate("() => { window.mlinfnTold = { page: false, desktop: false }; }")
        return page


class Browsers:
    """The one that all share, and those that can be suspended."""

    def __init__(self, playwright: Playwright, folder: Path) -> None:
        self._playwright = playwright
        self._folder = folder
        self._open: list[Browser] = []
        self._first: Browser | None = None
        self.last_mark = ""

    @property
    def shared(self) -> Browser:
        if self._first is None:
            self._first = self.another()
        return self._first

    def another(self) -> Browser:
        """A new one; `last_mark` is on its command line."""
        self.last_mark = f"--mlinfn-of-the-tests={uuid.uuid4().hex}"
        browser = self._playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*CHROMIUM_ARGUMENTS, self.last_mark]
        )
        self._open.append(browser)
        return browser

    def close(self) -> None:
        for browser in self._open:
            _quietly(browser.close)


class Laptop:
    """A browser whose machine can sleep: nothing in it runs, and nothing answers."""

    def __init__(self, mark: str) -> None:
        (self._main,) = [each for each in psutil.process_iter() if _begins(each, mark)]
        self._asleep: list[psutil.Process] = []

    def sleep(self) -> None:
        self._asleep = [self._main, *self._main.children(recursive=True)]
        for process in self._asleep:
            process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        for process in self._asleep:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def _begins(process: psutil.Process, mark: str) -> bool:
    """Whether it is the browser itself and not one of its helpers, which are started with `--type`."""
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    return mark in line and not any(each.startswith("--type=") for each in line)


def _quietly(end: Callable[[], object]) -> None:
    with suppress(Exception):
        end()


@contextmanager
def slow_source() -> Iterator[str]:
    """A server on this machine that sends 300 kB a second for ever; its URL."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(os.urandom(30_000))
                    time.sleep(0.1)

        def log_message(self, format: str, *args: Any) -> None:
            """To nobody."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/data"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
