"""One request in the worker process."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ...errors import MlinfnError, from_os_error
from .finish import finish
from .layout import RESCUED
from .work import Rescue

_DEPTH = 10_000
"""Folders in folders: a path has 4096 characters at most, and each of its parts two."""


def serve(descriptor: int) -> None:
    """Answer the request on stdin, and end the process."""
    sys.setrecursionlimit(_DEPTH)
    with suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def say(kind: str, body: Mapping[str, Any]) -> None:
        data = memoryview((json.dumps({"type": kind, **body}) + "\n").encode())
        while data:
            data = data[os.write(descriptor, data) :]

    say("ready", {})
    request = json.loads(sys.stdin.readline())
    try:
        try:
            result = _answer(request, say)
        except OSError as error:
            folder = f"{request.get('private')}/{RESCUED}"
            raise from_os_error(f"Nothing could be written to {folder}.", error) from error
    except MlinfnError as error:
        say("error", {"error": error.to_json()})
    else:
        say("result", {"result": result})
    os._exit(0)


def _answer(request: Mapping[str, Any], say: Any) -> dict[str, Any]:
    if request["op"] == "probe":
        status = os.statvfs(request["private"])
        return {"free_bytes": status.f_bavail * status.f_frsize}
    done = Rescue(request, say).run() if request["op"] == "rescue" else finish(request)
    summary = done["summary"]
    return done | {"summary": asdict(summary) if summary is not None else None}
