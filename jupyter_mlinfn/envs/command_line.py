"""What the commands of this room have in common."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from ..errors import NotFoundError, from_json
from ..jobs.manager import JobManager
from ..jobs.models import Job
from .console import ProgressBar
from .cuda import NONE, OVERRIDE, Choice
from .models import Environment
from .service import EnvironmentService

CUDA_HELP = "choose packages for this version of CUDA, e.g. 12.4, or none for builds that need no GPU"


async def find(envs: EnvironmentService, name: str) -> Environment:
    """The environment of that folder name.

    Raises:
        NotFoundError: there is none.
    """
    environments = (await envs.list()).environments
    # By the folder: a copied environment still bears the name of the first in its marker.
    for environment in environments:
        if environment.prefix.name == name:
            return environment
    known = ", ".join(environment.name for environment in environments) or "none"
    raise NotFoundError(f"There is no environment {name!r}.", reason=f"There are: {known}.")


async def finish(arguments: argparse.Namespace, jobs: JobManager, job: Job) -> Job:
    """Wait for the job's end; Ctrl-C cancels it, and what it had begun is cleared away."""
    with ProgressBar(job, enabled=not arguments.json) as bar:
        waiting = asyncio.ensure_future(jobs.wait(job.id))
        try:
            while not waiting.done():
                await asyncio.wait([waiting], timeout=0.1)
                bar.update()
        except asyncio.CancelledError:
            await jobs.cancel(job.id)
            await jobs.wait(job.id)
            raise
    ended = waiting.result()
    for warning in ended.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    if ended.error is not None:
        raise from_json(ended.error)
    if arguments.json:
        print_json({"job": ended.to_json()})
    return ended


def processes_in(prefix: Path) -> list[str]:
    """The processes, of this user as far as they can be seen, whose program lies in the prefix."""
    found = []
    # What this command itself started, e.g. to compile byte code, ends with it.
    own = {child.pid for child in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter(["pid", "name", "exe"]):
        program = process.info["exe"]
        if process.pid in own:
            continue
        if program and Path(program).is_relative_to(prefix):
            found.append(f"{process.info['name']} (process {process.info['pid']})")
    return found


def cuda_in_words(choice: Choice) -> str:
    """For which CUDA packages are chosen, and who says so."""
    if choice.version is None:
        return {
            "asked": "none, as asked: builds that need no GPU",
            "site": "none, as set up here: builds that need no GPU",
            "override": f"none, by {OVERRIDE}: builds that need no GPU",
        }.get(choice.source, "none: no GPU was seen yet; builds that need none (--cuda VERSION for others)")
    seen = f", as seen on {choice.seen[:10]} on {choice.server}" if choice.seen else ""
    why = {
        "asked": ", as asked",
        "environment": ", as it was made",
        "override": f", by {OVERRIDE}",
        "site": ", as set up here",
        "driver": ", which this machine's driver supports",
    }.get(choice.source, seen)
    return f"{choice.version}{why}"


def mark_in_words(mark: Mapping[str, Any], cuda: str | None) -> str:
    """Which build of a package is chosen, and why not that for CUDA (``#/components/schemas/CudaMark``)."""
    name, needs = mark["name"], mark["needs"]
    if mark["build"] == "cuda":
        return f"{name}: a build for CUDA {mark['cuda'] or ''}".rstrip()
    if cuda is None:
        newer = f" {needs} or newer" if needs else ""
        return f"{name}: the build for the CPU; there is one for CUDA{newer}"
    if needs:
        return f"{name}: the build for the CPU; the one for CUDA needs CUDA {needs} or newer"
    if mark["version"]:
        return f"{name}: the build for the CPU; only version {mark['version']} has one for CUDA"
    return f"{name}: the build for the CPU; the one for CUDA does not go with the others"


def cuda_kept_in_words(kept: str) -> str:
    """What an environment remembers; empty where it does not."""
    if kept == NONE:
        return "none: builds that need no GPU"
    return f"packages are chosen for {kept}" if kept else ""


def print_json(body: dict[str, Any]) -> None:
    print(json.dumps(body, indent=2))
