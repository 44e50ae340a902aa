"""A proxy's API and the servers behind it in one, each server as well or as ill as a test wants.

    with RoutesServer({"ada": "declares", "bob": "stock"}) as server:
        server.url                   # of the proxy's API
        server.conduct["ada"] = "hangs"
        server.asked                 # users whose servers were asked, in order

Conducts: "declares", "stock" (no header), "hangs" (no answer until the end), "error" (500, no
header), "floods" (a body without end), "gone" (nothing listens at its target), "meets" (declares, once all
that do so were asked).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from jupyter_mlinfn.idle.report import DECLARATION

Conduct = Literal["declares", "stock", "hangs", "error", "floods", "gone", "meets"]
FIGURE = "2026-11-24T12:00:00.000Z"


class RoutesServer:
    """Serves on a free port of the loopback until the context ends."""

    def __init__(self, conduct: dict[str, Conduct]) -> None:
        self.conduct = conduct
        self.asked: list[str] = []
        self._met = threading.Event()
        self._over = threading.Event()

    def __enter__(self) -> RoutesServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *_: Any) -> None:
                """Not on the tests' output."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        # It looks so often whether it is to end.
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._met.set()
        self._server.shutdown()
        self._server.server_close()

    def _routes(self) -> dict[str, Any]:
        routes: dict[str, Any] = {
            "/": {"hub": True, "target": self.url, "jupyterhub": True, "last_activity": FIGURE},
            "/services/board": {
                "service": "board",
                "target": self.url,
                "jupyterhub": True,
                "last_activity": FIGURE,
            },
        }
        for user, conduct in self.conduct.items():
            routes[f"/user/{user}"] = {
                "user": user,
                "server_name": "",
                "target": "http://127.0.0.1:1" if conduct == "gone" else self.url,
                "jupyterhub": True,
                "last_activity": FIGURE,
            }
        return routes

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/api/routes"):
            self._send(request, 200, json.dumps(self._routes()))
            return
        _, _, user, what = request.path.split("/")
        assert what == "api"
        self.asked.append(user)
        conduct = self.conduct[user]
        if conduct == "meets":
            if {each for each, other in self.conduct.items() if other == "meets"} <= set(self.asked):
                self._met.set()
            self._met.wait()
        if conduct == "hangs":
            self._over.wait()
        elif conduct == "floods":
            request.send_response(200)
            request.end_headers()
            try:
                while not self._over.is_set():
                    request.wfile.write(b"x" * 65536)
            except OSError:
                return
        else:
            declares = conduct in ("declares", "meets")
            self._send(request, 500 if conduct == "error" else 200, "{}", declares=declares)

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, text: str, *, declares: bool = False
    ) -> None:
        body = text.encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        if declares:
            request.send_header(*DECLARATION)
        request.end_headers()
        request.wfile.write(body)
