"""The jobs room of a server, with work that does as it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_mlinfn.errors import NoSpaceError
from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.manager import JobManager
from jupyter_mlinfn.jobs.models import Job, JobContext, Progress


class Recorded:
    """Work that does what its request says, and records what was asked of it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.undone: list[str] = []

    async def run(self, context: JobContext) -> dict[str, Any]:
        self.started.set()
        context.log("begun")
        context.progress(Progress("downloading", bytes_done=1, bytes_total=2))
        match context.job.request.get("do"):
            case "wait":
                await self.go_on.wait()
            case "fail":
                raise NoSpaceError("No room.", reason="The disk is full.", hint="Remove files.")
            case "break":
                raise ZeroDivisionError("oh")
        return {"answer": 42}

    async def undo(self, context: JobContext) -> None:
        self.undone.append(context.job.id)


class Room:
    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.work = Recorded()
        self.jobs = JobManager(Journal(folder), self.told.append)
        self.jobs.register("test.work", self.work)

    async def submit(self, do: str = "") -> Job:
        return await self.jobs.submit("test.work", "Do it", subject={"name": "x"}, request={"do": do})
