"""A kernel of a few lines that runs nothing, for those who need hundreds: `kernelspec` installs it.

It speaks as much of https://jupyter-client.readthedocs.io/en/stable/messaging.html as a server hears
that looks after kernels: it starts, is busy with a cell for some seconds, idle for as many, and so on,
and ends when it is asked to. Each takes a tenth of ipykernel's time to start and of its memory.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

NAME = "small"
DELIMITER = b"<IDS|MSG>"


def kernelspec(kernels: Path, *, busy_for: float) -> str:
    """Put it among the kernels of a platform.

    Args:
        busy_for: seconds that each cell takes, and that pass before the next.

    Returns:
        Its name.
    """
    folder = kernels / NAME
    folder.mkdir(parents=True)
    argv = [sys.executable, "-I", __file__, "{connection_file}", f"{busy_for}"]
    spec = {"argv": argv, "display_name": "Small", "language": "none"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return NAME


class _Kernel:
    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._key = connection["key"].encode()
        self._session = uuid.uuid4().hex
        context = zmq.Context()
        self.poller = zmq.Poller()

        def bound(kind: int, port: str) -> zmq.Socket[bytes]:
            socket = context.socket(kind)
            socket.bind(f"{connection['transport']}://{connection['ip']}:{connection[port]}")
            if kind == zmq.ROUTER:
                self.poller.register(socket, zmq.POLLIN)
            return socket

        self._iopub = bound(zmq.PUB, "iopub_port")
        self.requests = [bound(zmq.ROUTER, port) for port in ("shell_port", "control_port", "stdin_port")]
        self.heart = bound(zmq.ROUTER, "hb_port")

    def header(self, kind: str) -> dict[str, Any]:
        return {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": self._session,
            "username": "kernel",
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": "5.3",
        }

    def says(self, state: str, parent: Mapping[str, Any]) -> None:
        content = {"execution_state": state}
        self._iopub.send_multipart([b"status", *self._message("status", parent, content)])

    def _message(self, kind: str, parent: Mapping[str, Any], content: Mapping[str, Any]) -> list[bytes]:
        parts = [json.dumps(each).encode() for each in (self.header(kind), parent, {}, content)]
        signature = hmac.new(self._key, b"".join(parts), hashlib.sha256).hexdigest().encode()
        return [DELIMITER, signature, *parts]

    def hear(self, socket: zmq.Socket[bytes]) -> bool:
        """Whether to go on after this message."""
        parts = socket.recv_multipart()
        if socket is self.heart:
            socket.send_multipart(parts)
            return True
        begin = parts.index(DELIMITER)
        parent = json.loads(parts[begin + 2])
        kind = parent["msg_type"]
        if not kind.endswith("_request"):
            return True
        self.says("busy", parent)
        content = {"status": "ok"}
        if kind == "kernel_info_request":
            language = {"name": "none", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"}
            content |= {"protocol_version": "5.3", "implementation": NAME, "implementation_version": "1"}
            content |= {"language_info": language, "banner": ""}  # type: ignore[dict-item]
        answer = self._message(kind.replace("request", "reply"), parent, content)
        socket.send_multipart([*parts[:begin], *answer])
        self.says("idle", parent)
        return bool(kind != "shutdown_request")


def main(file: str, busy_for: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # There is nothing to interrupt.
    kernel = _Kernel(json.loads(Path(file).read_text()))
    cell, busy, due = kernel.header("execute_request"), False, time.monotonic() + busy_for
    while True:
        for socket, _ in kernel.poller.poll(max(0, round((due - time.monotonic()) * 1000))):
            if not kernel.hear(socket):
                return
        if time.monotonic() >= due:
            busy, due = not busy, due + busy_for
            if busy:
                cell = kernel.header("execute_request")
            kernel.says("busy" if busy else "idle", cell)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
