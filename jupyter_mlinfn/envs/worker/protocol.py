"""What goes over the pipes between `engine.Engine` and a worker: one JSON object a line.

In, requests::

    {"id": 1, "op": "plan" | "search" | "versions" | "install", "settings": {…}, …arguments}

`settings` are `WorkerSettings`. Out, any number of events and then one last message::

    {"type": "progress", "id": 1, "progress": {…models.Progress}}
    {"type": "log", "id": 1, "lines": ["downloading numpy 2.1.0 (8.2 MB)", …]}
    {"type": "result", "id": 1, "result": {…}}
    {"type": "error", "id": 1, "error": {…MlinfnError.to_json()}, "ends": true}

`ends` is there when the worker ends after the error.

A worker is judged by its last message, not by its exit code: the interpreter may crash at exit
after complete work (FACTS 2).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..redact import redact


@dataclass(frozen=True)
class WorkerSettings:
    """What every request says about the world. Sizes are bytes, times seconds.

    `channels` are URLs without credentials; `credentials` are what rattler's authentication
    file holds for their hosts (secret: this object goes over stdin only).
    """

    channels: Sequence[str]
    pkgs_dir: str
    repodata_dir: str
    shared_pkgs: Sequence[str] = ()
    channel_priority: str = "strict"
    pinned_packages: Sequence[str] = ()
    ssl_verify: bool | str = True
    credentials: Mapping[str, Any] = field(default_factory=dict)
    proxies: Mapping[str, str] = field(default_factory=dict)
    memory_budget: int | None = None
    solve_timeout: float = 120.0
    stall_timeout: float = 30.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> WorkerSettings:
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in body.items() if name in known})


class Output:
    """Writes messages to a file descriptor, whole lines, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self.current: int | None = None
        """Id of the request at work; messages of other threads belong to it."""
        self.count = 0
        """Messages sent so far: work that says something has not stopped moving."""

    def send(self, kind: str, **body: Any) -> None:
        line = json.dumps({"type": kind, "id": self.current, **body}, separators=(",", ":")) + "\n"
        data = memoryview(line.encode())
        with self._lock:
            self.count += 1
            while data:
                data = data[os.write(self._descriptor, data) :]

    def log(self, *lines: str) -> None:
        self.send("log", lines=[redact(line) for line in lines])
