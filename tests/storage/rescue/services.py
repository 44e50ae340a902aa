"""The services of a server, a rescue that is at work, and what it has done so far."""

from __future__ import annotations

import psutil

from jupyter_mlinfn.jobs.journal import Journal
from jupyter_mlinfn.jobs.manager import JobManager
from jupyter_mlinfn.storage.rescue.ground import Ground as Between
from jupyter_mlinfn.storage.rescue.service import RescueService
from jupyter_mlinfn.storage.walk import Plan

from ...support.clock import until
from ...support.processes import children_with
from .support import Ground, files_below


class Server:
    """The two services of a server, in this process."""

    def __init__(self, ground: Ground) -> None:
        self.between = Between(Plan.from_json(ground.plan()), str(ground.private))
        self.changes = 0
        self.jobs = JobManager(Journal(ground.folder / "jobs"), self._job_changed)
        self.rescue = RescueService(self.jobs, self._ground, limit=10**9, changed=self._changed)

    async def _ground(self) -> Between:
        return self.between

    def _job_changed(self, job_id: str) -> None:
        self.rescue.job_changed(job_id)

    def _changed(self) -> None:
        self.changes += 1

    async def close(self) -> None:
        await self.rescue.close()
        await self.jobs.close()


def half(ground: Ground) -> list[str]:
    return [
        path for path, _ in files_below(ground.rescued) if "/.rescue-" in path and not path.endswith(".jsonl")
    ]


def kept(ground: Ground) -> list[str]:
    return sorted(path.split("/", 1)[1] for path, _ in files_below(ground.rescued) if "/.rescue-" not in path)


def workers() -> list[psutil.Process]:
    return children_with("storage/rescue")


async def at_work(ground: Ground) -> None:
    """Until the small file is kept, and the endless one is being copied."""
    await until(lambda: "small" in kept(ground) and half(ground))
