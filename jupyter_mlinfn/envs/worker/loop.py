"""Requests in, work, messages out; and the watch over work that has stopped moving."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DependencyError, MlinfnError
from . import failures, memory
from .install import Installation
from .protocol import Output, WorkerSettings
from .search import Search
from .session import Session
from .solve import Solution, Solver, cost

if TYPE_CHECKING:
    from .change import Change
    from .cuda_builds import CudaBuilds

_SESSION_AGE = 600.0
"""Seconds after which channels are asked again whether something is new."""
_BUSY = 0.2
"""CPU seconds within the stall timeout above which a process is at work, not waiting."""


def serve(descriptor: int) -> None:
    """Answer requests until stdin ends; does not return."""
    output = Output(descriptor)
    # What was imported stays, and lists of files and packages hold no cycles: looking for some in
    # them again and again takes a third of the time of a look at forty thousand files.
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        asyncio.run(_Worker(output).run())
    except BaseException as error:  # noqa: BLE001 - a panic of rattler is a BaseException (FACTS 2)
        output.send("error", error=_crashed(error).to_json(), ends=True)
    # The interpreter may crash while it shuts rattler down (FACTS 2).
    os._exit(0)


def _crashed(error: BaseException) -> MlinfnError:
    if isinstance(error, Exception):
        return failures.translate(error, "The package engine failed.")
    return DependencyError(
        "The package engine crashed.",
        reason=str(error) or type(error).__name__,
        hint=failures.ASK_ADMIN,
    )


def cuda_of(request: Mapping[str, Any]) -> str | None:
    """The CUDA that a request is for; None for none."""
    told = (request.get("request") or request).get("cuda")
    return str(told) if told and told != "none" else None


class _Worker:
    def __init__(self, output: Output) -> None:
        self._output = output
        self._requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._session: Session | None = None
        self._solver: Solver | None = None
        self._search: Search | None = None
        self._cuda_builds: CudaBuilds | None = None
        self._opened = 0.0
        self._guard: memory.MemoryGuard | None = None
        self._installation: Installation | None = None
        self._change: Change | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="requests", daemon=True).start()
        while True:
            request = await self._requests.get()
            self._output.current = int(request["id"])
            settings = WorkerSettings.from_json(request["settings"])
            try:
                result = await self._watched(request, settings)
            except MlinfnError as error:
                self._output.send("error", error=error.to_json())
            else:
                self._output.send(
                    "result",
                    result=result,
                    peak_memory=memory.peak_memory(),
                    peak_anonymous=self._guard.peak if self._guard else None,
                )

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(self._requests.put_nowait, json.loads(line))
        os._exit(0)  # the server is gone, or wants us gone

    def _give_up(self, error: MlinfnError) -> None:
        """End the whole process: what runs in rattler's threads cannot be stopped otherwise."""
        self._output.send("error", error=error.to_json(), ends=True)
        os._exit(0)

    async def _work(self, request: dict[str, Any], settings: WorkerSettings) -> dict[str, Any]:
        self._installation = self._change = None
        session, solver, search = self._open(settings)
        # Not of the settings: another one would throw away what is loaded of the channels.
        session.choose_cuda(cuda_of(request))
        if request["op"] == "install":
            self._installation = Installation(session, self._output, Path(request["prefix"]))
            return await self._installation.run(request["specs"])
        if request["op"] in ("change", "plan_change"):
            # Not at the top: what most requests do not need.
            from .change import Change
            from .parts import Request

            self._change = change = Change(session, self._output, Request.from_json(request["request"]))
            if request["op"] == "change":
                return await change.run()
            plan, coming = await change.plan(), change.planned.coming if change.planned else ()
            marks = await self._marks(session, plan["specs"], Solution(list(coming), plan["specs"]), solver)
            return plan | {"cuda_builds": marks}
        if request["op"] in ("inspect", "settle"):
            from . import looks

            look = looks.inspect if request["op"] == "inspect" else looks.settle
            return await asyncio.to_thread(look, Path(request["prefix"]), Path(request["history"]))
        if request["op"] == "plan":
            solution = await solver.solve(request["specs"])
            prefix = Path(request["prefix"]) if request.get("prefix") else None
            plan = await cost(session, solution, prefix)
            marks = await self._marks(session, request["specs"], solution, solver)
            return plan | {"cuda_builds": marks}
        if request["op"] == "search":
            return {"hits": await search.hits(request["query"], int(request["limit"]))}
        return await search.versions(request["name"])

    def _open(self, settings: WorkerSettings) -> tuple[Session, Solver, Search]:
        """The session of before, while it is young and means the same."""
        session, young = self._session, time.monotonic() - self._opened < _SESSION_AGE
        same = session is not None and session.settings == settings and session.is_whole()
        if session and self._solver and self._search and young and same:
            return session, self._solver, self._search
        try:
            self._session = Session(settings)
        except OSError as error:
            raise failures.translate(error, "The package cache cannot be used.") from error
        self._solver = Solver(self._session, self._output)
        self._search = Search(self._session, self._solver)
        self._cuda_builds = None
        self._opened = time.monotonic()
        return self._session, self._solver, self._search

    async def _marks(
        self, session: Session, specs: Sequence[str], solution: Solution, solver: Solver
    ) -> list[dict[str, Any]]:
        if not solution.records:
            return []
        if self._cuda_builds is None:
            # Not at the top: an installation does not need it.
            from .cuda_builds import CudaBuilds

            self._cuda_builds = CudaBuilds(session)
        return await self._cuda_builds.marks(specs, solution, solver.platforms)

    async def _watched(self, request: dict[str, Any], settings: WorkerSettings) -> dict[str, Any]:
        if self._guard is None:
            self._guard = memory.MemoryGuard(settings.memory_budget, self._give_up)
            self._guard.start()
        self._guard.begin()
        task = asyncio.ensure_future(self._work(request, settings))
        mark, since, cpu = self._activity(settings), time.monotonic(), time.process_time()
        while True:
            done, _ = await asyncio.wait({task}, timeout=min(1.0, settings.stall_timeout / 4))
            if done:
                return task.result()
            activity = await asyncio.to_thread(self._activity, settings)
            if activity != mark or time.process_time() - cpu > _BUSY:
                mark, since, cpu = activity, time.monotonic(), time.process_time()
            elif time.monotonic() - since > settings.stall_timeout and not self._watches_itself():
                self._give_up(
                    failures.stalled(
                        "The channel stopped answering.", settings.stall_timeout, list(settings.channels)
                    )
                )

    def _watches_itself(self) -> bool:
        """pip may build for minutes without a word, and is watched where it is run."""
        return self._change is not None and self._change.manager == "pip"

    def _activity(self, settings: WorkerSettings) -> tuple[float, int, int]:
        """Changes when something arrives: a package's bytes, a word of pip's, or a repodata file that
        grows."""
        work = self._installation or self._change
        reporter = work.reporter if work else None
        size = 0
        try:
            with os.scandir(settings.repodata_dir) as entries:
                size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        except OSError:
            size = -1  # not there yet, or files are being renamed: look again in a second
        return (reporter.last_change if reporter else 0.0), self._output.count, size
