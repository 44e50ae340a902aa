"""What the tests' hub needs of HTTP and of processes; see `tests.support.hub`."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

import psutil

from .patience import PATIENCE


def request(method: str, url: str, token: str | None, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer; what is not a JSON object is given under `""`."""
    headers = {"Authorization": f"token {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    try:
        given = json.loads(text) if text else {}
    except ValueError:
        given = text.decode(errors="replace")
    return status, given if isinstance(given, dict) else {"": given}


def listens(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 80)) == 0


def unless_gone(read: Any, otherwise: Any) -> Any:
    """What a process tells of itself; `otherwise` when it is gone."""
    try:
        return read()
    except psutil.Error:
        return otherwise


def kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        unless_gone(lambda process=process: process.send_signal(signal.SIGKILL), None)
    psutil.wait_procs(processes, timeout=PATIENCE)
