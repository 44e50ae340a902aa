"""Trees to be rescued, a worker process that does it, and a look at what came of it with other tools."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_mlinfn.storage.rescue import process
from jupyter_mlinfn.storage.rescue.layout import MANIFEST, SUMS

from ...support.patience import PATIENCE

CREATED = "2026-11-25T01:30:00.000Z"
MAIN = Path(process.__file__).with_name("__main__.py")
PACKAGES = MAIN.parents[3]


@dataclass
class Ground:
    """A root with a private folder in it, and a home outside."""

    folder: Path
    job: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: str = CREATED

    def __post_init__(self) -> None:
        for each in (self.private, self.home):
            each.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def private(self) -> Path:
        return self.root / "private"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def rescued(self) -> Path:
        return self.private / "rescued"

    def plan(self) -> dict[str, Any]:
        bases = [str(self.root), str(self.home)]
        ends = [str(self.private)]
        return {
            "bases": bases,
            "regions": bases,
            "borders": ends,
            "since": None,
            "ignored": [],
            "ignored_folders": [],
        }

    def request(self, op: str = "rescue", **more: Any) -> dict[str, Any]:
        return {
            "op": op,
            "job": self.job,
            "created": self.created,
            "private": str(self.private),
            "plan": self.plan(),
            "paths": None,
            "limit": None,
        } | more

    def start(self, op: str = "rescue", command: Sequence[str] = (), **more: Any) -> subprocess.Popen[bytes]:
        """A worker at work."""
        worker = subprocess.Popen(
            [*command, *worker_command()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(self.request(op, **more)).encode() + b"\n")
        worker.stdin.flush()
        return worker

    def run(self, op: str = "rescue", command: Sequence[str] = (), **more: Any) -> dict[str, Any]:
        """What a worker answers at last: `{"result": …}` or `{"error": …}`."""
        with self.start(op, command, **more) as worker:
            out, _ = worker.communicate(timeout=PATIENCE)
        last: dict[str, Any] = json.loads(out.splitlines()[-1])
        return last

    def rescue(self, **more: Any) -> tuple[Path, dict[str, Any]]:
        """The folder, and the summary."""
        answer = self.run(**more)
        assert answer["type"] == "result", answer
        name, summary = answer["result"]["name"], answer["result"]["summary"]
        assert name is not None, summary
        return self.rescued / name, summary


def endless(ground: Ground, name: str = "endless") -> Path:
    """A file that takes hours: nothing but a hole, which is hashed nevertheless."""
    file = ground.root / name
    with file.open("wb") as out:
        out.truncate(8_000_000_000_000)
    return file


def worker_command() -> list[str]:
    return [sys.executable, "-I", "-S", "-X", "utf8", str(MAIN), str(os.getpid()), str(PACKAGES)]


def manifest(folder: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return body


def check_sums(folder: Path) -> int:
    """How many files `sha256sum -c` finds right; fails where it finds one wrong."""
    done = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return len(done.stdout.splitlines())


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Everything that is no folder, by its path below `folder`."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            yield str(path.relative_to(folder)), path


def left(summary: Mapping[str, Any], root: Path) -> dict[str, str]:
    """What is not kept: path below the root → why."""
    return {os.path.relpath(each["path"], root): each["reason"] for each in summary["told_left"]}
