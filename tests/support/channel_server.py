"""A channel behind HTTP that can be slow, broken or dead, switched while it runs.

    with ChannelServer(folder) as server:
        server.url                                  # http://127.0.0.1:PORT
        server.bytes_per_second = 200_000           # throttle every answer from now on
        server.faults["alpha-1.0"] = "truncate"     # for paths that contain the key
        server.refuse()                             # nothing listens any more; server.listen() again
        server.requests                             # [(method, path)] so far

Faults: "hang" (accepts, answers nothing until `release` or the end, and then closes), "hold" (the same,
but answers after it as if nothing had been), "stall" (half the body, then nothing), "quarters" (a quarter
of the body, and each further one when `step` allows it), "truncate" (promises the length, sends half,
closes), "corrupt" (right length, wrong bytes), "404", "403", "500".
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import unquote, urlsplit

Fault = Literal["hang", "hold", "stall", "quarters", "truncate", "corrupt", "404", "403", "500"]

_CHUNK = 16 * 1024


class ChannelServer:
    """Serves `folder` on a free port of the loopback until the context ends; over TLS where a
    certificate is given."""

    def __init__(self, folder: Path, *, certificate: Path | None = None, key: Path | None = None) -> None:
        self.folder = folder.resolve()
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate, key)
        self.bytes_per_second: float | None = None
        self.faults: dict[str, Fault] = {}
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.release = threading.Event()
        """Set to let hanging requests end."""
        self.hanging = threading.Event()
        """Is set as soon as a request hangs, is held, stalls or awaits a step: what a test waits for."""
        self.step = threading.Semaphore(0)
        """To be released for each further quarter; `release` lets all go."""
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def __enter__(self) -> ChannelServer:
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()

    def listen(self) -> None:
        """Start to answer, on the port used before if there was one."""
        self.release.clear()
        outer = self

        class Handler(_Handler):
            channel = outer

        self._server = _Server(("127.0.0.1", self._port), Handler)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def refuse(self) -> None:
        """Stop listening: connections are refused from now on."""
        self.release.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away (a cancelled installation) is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    channel: ChannelServer

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at `ChannelServer.requests` instead."""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        channel = self.channel
        path = unquote(urlsplit(self.path).path)
        channel.requests.append((self.command, path))
        channel.headers.append(dict(self.headers.items()))
        fault = next((fault for key, fault in channel.faults.items() if key in path), None)
        if fault in ("hang", "hold"):
            channel.hanging.set()
            channel.release.wait()
            if fault == "hang":
                self.close_connection = True
                return
            fault = None
        if fault in ("403", "404", "500"):
            return self._empty(HTTPStatus(int(fault)))
        file = (channel.folder / path.lstrip("/")).resolve()
        if path.endswith("/"):
            file /= "index.html"  # a package index's page (PEP 503)
        if not file.is_relative_to(channel.folder) or not file.is_file():
            return self._empty(HTTPStatus.NOT_FOUND)
        stat = file.stat()
        etag = '"' + hashlib.sha256(f"{stat.st_mtime_ns}-{stat.st_size}".encode()).hexdigest()[:16] + '"'
        if self.headers.get("If-None-Match") == etag and fault is None:
            return self._empty(HTTPStatus.NOT_MODIFIED)
        self.send_response(HTTPStatus.OK)
        page = file.suffix == ".html"
        self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        self.send_header("Content-Length", str(stat.st_size))
        self.send_header("ETag", etag)
        self.end_headers()
        if body:
            self._send(file, stat.st_size, fault)

    def _send(self, file: Path, size: int, fault: Fault | None) -> None:
        end = size // 2 if fault in ("truncate", "stall") else size
        parts = [size * part // 4 for part in (1, 2, 3, 4)] if fault == "quarters" else [end]
        sent = 0
        with file.open("rb") as source:
            for part in parts:
                if sent:
                    self._await_step()
                while sent < part and (chunk := source.read(min(_CHUNK, part - sent))):
                    if fault == "corrupt":
                        chunk = bytes(byte ^ 0x55 for byte in chunk)
                    self.wfile.write(chunk)
                    sent += len(chunk)
                    if self.channel.bytes_per_second is not None:
                        self._wait(len(chunk) / self.channel.bytes_per_second)
        if fault == "stall":
            self.wfile.flush()
            self.channel.hanging.set()
            self.channel.release.wait()
        if end < size:
            self.close_connection = True

    def _await_step(self) -> None:
        self.channel.hanging.set()
        while not self.channel.step.acquire(timeout=0.2) and not self.channel.release.is_set():
            pass

    def _wait(self, seconds: float) -> None:
        """The throttle: pass the time, unless the server stops."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self.channel.release.wait(min(left, 0.2)):
            pass

    def _empty(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
