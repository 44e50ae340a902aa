"""The hub's API for one server, as far as a server speaks to it; can refuse, break and be away.

with HubApi() as api:
    client = HubClient(api.place)
    api.status = 403             # of every answer from now on; None for what a hub answers
    api.told                     # the last activities that it took, seconds since the epoch
    api.requests                 # [(method, path)] so far
    api.silence = "hangs"        # it takes requests and never answers; "dribbles": a byte now and then
    api.wall = clock.wall        # its clock, seconds since the epoch
    api.ahead = -7200            # seconds by which that is set otherwise
    api.leave()                  # nothing listens any more, nor will at its address
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from jupyter_mlinfn.idle.hub import HubPlace
from jupyter_mlinfn.times import iso_of

from .ports import reserved_port

TOKEN = "planted-token-of-the-hub"


class HubApi:
    """Serves on a port of the loopback, which is nobody else's until the context ends."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.silence: Literal["hangs", "dribbles"] | None = None
        self.wall: Callable[[], float] = time.time
        self.ahead = 0.0
        self.told: list[float] = []
        self.requests: list[tuple[str, str]] = []
        self._left = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._ends = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """Of a server of this hub's."""
        return {
            "JUPYTERHUB_API_URL": f"{self.url}/hub/api",
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "JUPYTERHUB_USER": "ada b@c",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
        }

    @property
    def place(self) -> HubPlace:
        found = HubPlace.find(self.environment)
        assert found is not None
        return found

    def __enter__(self) -> HubApi:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._answer(self)

            do_GET = do_DELETE = do_POST

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(
                    outer.wall() + outer.ahead if timestamp is None else timestamp
                )

            def log_message(self, *_: Any) -> None:
                """Not on the tests' output."""

        port = self._ends.enter_context(reserved_port())
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{port}"
        # It looks so often whether it is to end.
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def leave(self) -> None:
        self._left.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        self._ends.close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append((request.command, request.path))
        if self.silence is not None:
            self._be_silent(request)
            return
        status = self.status
        if request.headers.get("Authorization") != f"token {TOKEN}":
            status = 403
        elif status is None and request.command == "POST":
            at = json.loads(body)["servers"][""]["last_activity"]
            self.told.append(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp())
        model = json.dumps({"servers": {"": {"last_activity": iso_of(max(self.told, default=0.0))}}}).encode()
        answer = model if request.command == "GET" else b""
        request.send_response(status or (204 if request.command == "DELETE" else 200))
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _be_silent(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Dribble: " if self.silence == "dribbles" else b"")
        request.close_connection = True
        with suppress(OSError):
            while not self._left.wait(0.5):
                if self.silence == "dribbles":
                    request.wfile.write(b"x")
