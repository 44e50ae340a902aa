"""Check GPU: the job, and what is known of earlier checks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DependencyError, from_os_error
from ...jobs.manager import JobManager
from ...jobs.models import ACTIVE, Job, JobContext
from ...times import now
from ...uninterrupted import in_thread
from ..activation import ActivationCache
from ..catalogue import Catalogue
from ..cuda import Cuda
from ..models import Environment, Progress
from ..outside import Look
from ..places import Places
from ..writer import Writers, being_changed
from . import record as records
from .findings import NAMES, Finding, Framework, Here, overall, summary
from .record import Record

if TYPE_CHECKING:
    from ...gpu.models import Device
    from .run import Ran

KIND = "envs.gpu_check"

LIMIT = 120.0
"""Seconds for one framework: the first import from a network volume takes its time."""

_FIND_LIMIT = 60.0
"""Seconds in which Python must have started and said what there is."""

_DEVICES = ("nvidiactl", "nvidia0", "dxg")
"""In /dev: one of them is there where a container was given a GPU (dxg: Windows' subsystem)."""


async def nobody_knows() -> None:
    """No device is known to be the user's."""


class GpuCheck:
    """Work of kind `envs.gpu_check` (`jobs.models.Work`), and the service; on the event loop's thread.

    Args:
        revision: the last look at an environment (`outside.Outside.known`).
        changed: called when there is a new verdict.
        who: this server as its user knows it.
        devices: the user's, as the GPU panel shows them; None where that is not known, or not clear.
        limit: seconds for one framework.
        dev: where devices are, for tests.
    """

    def __init__(
        self,
        places: Places,
        catalogue: Catalogue,
        jobs: JobManager,
        writers: Writers,
        activations: ActivationCache,
        cuda: Cuda,
        revision: Callable[[Environment], Look | None],
        changed: Callable[[], None],
        *,
        who: str,
        devices: Callable[[], Awaitable[Sequence[Device] | None]] = nobody_knows,
        limit: float = LIMIT,
        dev: Path = Path("/dev"),
    ) -> None:
        self._places = places
        self._catalogue = catalogue
        self._jobs = jobs
        self._writers = writers
        self._activations = activations
        self._cuda = cuda
        self._revision = revision
        self._changed = changed
        self._who = who
        self._devices = devices
        self._limit = limit
        self._dev = dev
        jobs.register(KIND, self)

    async def check(self, environment_id: str) -> Job:
        """Start the job; where one is at work already, that one.

        Raises:
            NotFoundError: there is no such environment.
            ConflictError: it is being changed.
        """
        environment = await self._catalogue.find(environment_id)
        for job in await self._jobs.all():
            same = job.kind == KIND and job.subject.get("env_id") == environment_id
            if same and job.state in ACTIVE and self._jobs.is_mine(job.id):
                return job
        await self._check_idle(environment)
        try:
            return await self._jobs.submit(
                KIND,
                f"Check GPU of {environment.label}",
                subject={"env_id": environment.id, "name": environment.name, "label": environment.label},
                request={"env_id": environment.id},
            )
        except OSError as error:
            raise from_os_error(f"{environment.label} cannot be checked.", error) from error

    async def known(self, environments: Sequence[Environment]) -> dict[str, dict[str, Any]]:
        """``#/components/schemas/GpuCheck`` of those that were checked, by their ids."""
        return await asyncio.to_thread(self._known, environments, self._cuda.driver)

    def _known(self, environments: Sequence[Environment], driver: Any) -> dict[str, dict[str, Any]]:
        found = {}
        for environment in environments:
            record = records.read(self._places, environment)
            if record is not None:
                found[environment.id] = view(record, records.stale(record, environment.prefix, driver))
        return found

    async def run(self, context: JobContext) -> dict[str, Any]:
        environment = await self._catalogue.find(str(context.job.request.get("env_id")))
        await self._check_idle(environment)
        context.progress(Progress("preparing"))
        mark = await in_thread(records.fingerprint, environment.prefix)
        here = await self._here(environment)
        record = await self._look(context, environment, here)
        look = self._revision(environment)
        record = replace(record, fingerprint=mark, revision=look.revision if look else None)
        context.log(record.summary)
        try:
            await in_thread(records.write, self._places, environment, record)
        except OSError as error:
            context.warn(f"The verdict could not be kept: {error.strerror or error}.")
        self._changed()
        told = view(record, None)
        return {"env_id": environment.id, "check": told}

    async def undo(self, context: JobContext) -> None:
        """What ran is ended with the task that waited for it, and nothing was written."""

    async def _check_idle(self, environment: Environment) -> None:
        if environment.origin == "private":
            writer = await asyncio.to_thread(self._writers.writer, environment.prefix)
            if writer is not None and not self._writers.is_brief(environment.prefix):
                raise being_changed(environment.name, writer)

    async def _here(self, environment: Environment) -> Here:
        await self._cuda.decide()  # Asks the driver where it was not heard of yet.
        remembered = await asyncio.to_thread(self._cuda.remembered)
        driver = self._cuda.driver
        gpu = driver.cuda is not None if driver is not None else None
        if not gpu:
            # Not heard of is not absent: it may hang, or NVML alone may be missing.
            gpu = await asyncio.to_thread(lambda: any((self._dev / name).exists() for name in _DEVICES))
        cuda = remembered.cuda if remembered else None
        devices = await self._devices() if gpu else None
        return Here(gpu=gpu, driver=driver, remembered=cuda, env=environment.prefix.name, devices=devices)

    async def _look(self, context: JobContext, environment: Environment, here: Here) -> Record:
        # Not at the top: what a server that starts does not need.
        from .run import as_a_kernel
        from .verdicts import CHECKS

        python = environment.prefix / "bin" / "python"
        findings: list[Finding] = []
        others: list[str] = []
        notes: list[str] = []
        has_python = await asyncio.to_thread(python.exists)
        if has_python:
            activation = await in_thread(self._activations.of, environment.prefix)
            for warning in activation.warnings:
                context.warn(warning)
            environ = as_a_kernel(activation.variables, os.environ)
            found = await self._find(environment, python, environ)
            frameworks, others, notes = _told(found)
            for framework in frameworks:
                context.log(f"{framework.titled}: checking, for {self._limit:.0f} s at most")
                context.progress(Progress("checking"))
                ran = await self._probe(environment, python, framework.module, environ, self._limit)
                finding = CHECKS[framework.module](framework, ran, here)
                findings.append(finding)
                context.log(finding.sentence)
                if finding.details:
                    context.log(finding.details)
        return Record(
            verdict=overall(findings, others),
            summary=summary(findings, others, has_python),
            time=now(),
            fingerprint="",
            server=self._who,
            driver=here.driver,
            frameworks=findings,
            others=others,
            notes=notes,
        )

    async def _find(
        self, environment: Environment, python: Path, environ: Mapping[str, str]
    ) -> Mapping[str, Any]:
        ran = await self._probe(environment, python, "find", environ, _FIND_LIMIT)
        found = ran.step("found")
        if found:
            return found
        why = f"It was given {ran.seconds:.0f} s." if ran.late else ran.output
        raise DependencyError(
            f"The Python of {environment.label} does not work.",
            reason=why or "It ended without a word.",
            hint="Update all its packages, or make the environment anew.",
        )

    async def _probe(
        self, environment: Environment, python: Path, what: str, environ: Mapping[str, str], limit: float
    ) -> Ran:
        from .run import probe

        try:
            return await probe(python, what, environ, limit)
        except OSError as error:
            raise DependencyError(
                f"The Python of {environment.label} cannot be started.",
                reason=str(error),
                hint="Update all its packages, or make the environment anew.",
            ) from error


def view(record: Record, stale: str | None) -> dict[str, Any]:
    """``#/components/schemas/GpuCheck``."""
    body = record.to_json()
    del body["fingerprint"]
    return body | {"stale": stale}


def _told(found: Mapping[str, Any]) -> tuple[list[Framework], list[str], list[str]]:
    """What is to be checked, what is only named, and what else there is to know."""
    frameworks, others, notes = [], [], []
    for one in found.get("frameworks") or ():
        module, version = str(one.get("module")), one.get("version")
        if module in NAMES:
            frameworks.append(Framework(module, NAMES[module], version, one.get("by")))
        else:
            name = str(one.get("name") or module)
            others.append(f"{name} {version}" if version else name)
    for module in found.get("shadows") or ():
        notes.append(
            f"Kernels take {NAMES.get(module, module)} from {found.get('user_site')} and not from the "
            "environment: what pip installed there with --user goes before it. It was not checked."
        )
    return frameworks, others, notes
