"""Routes of the room `jobs`; see openapi.yaml."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..api import MlinfnHandler
from .manager import JobManager
from .models import Job


class JobsHandler(MlinfnHandler):
    """Base of this room's handlers."""

    @property
    def jobs(self) -> JobManager:
        return self.room(JobManager)


def answer(jobs: JobManager, job: Job) -> dict[str, Any]:
    """A job as openapi.yaml describes it."""
    return job.to_json() | {"mine": jobs.is_mine(job.id)}


class JobListHandler(JobsHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer({"jobs": [answer(self.jobs, job) for job in await self.jobs.all()]})

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        await self.jobs.clear()
        self.no_content()


class JobHandler(JobsHandler):
    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        self.answer({"job": answer(self.jobs, await self.jobs.get(job_id))})

    @web.authenticated
    @authorized
    async def delete(self, job_id: str) -> None:
        job = await self.jobs.cancel(job_id)
        if job is None:
            self.no_content()
        else:
            self.answer({"job": answer(self.jobs, job)}, status=202)


class JobResumeHandler(JobsHandler):
    @web.authenticated
    @authorized
    async def post(self, job_id: str) -> None:
        self.answer({"job": answer(self.jobs, await self.jobs.resume(job_id))}, status=202)


class JobLogHandler(JobsHandler):
    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        lines, position = await self.jobs.log(job_id, self.query("offset"))
        self.answer({"lines": lines, "next": position})


HANDLERS = [
    (r"jobs", JobListHandler),
    (r"jobs/([^/]+)", JobHandler),
    (r"jobs/([^/]+)/resume", JobResumeHandler),
    (r"jobs/([^/]+)/log", JobLogHandler),
]
