"""Solve, download, link, and leave a prefix that conda takes for its own."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import rattler
from rattler import MatchSpec
from rattler.exceptions import InstallerError, IoError, LinkError, TransactionError
from rattler.install import InstallerReporter

from ...disk import Need
from ...errors import from_os_error
from ..places import STATE_FOLDER
from . import cache_guard, history, space
from .cache_guard import IN_USE
from .failures import Place, translate
from .progress import Reporter
from .protocol import Output
from .session import Session
from .solve import Solution, Solver, cost, stem, summary

WHAT = "The environment could not be made."
_TOLD_EVERY = 10.0
"""Seconds between two words that it waits: less than those after which silence is a stall."""
_ASKED_EVERY = 0.2


class Installation:
    """One installation. `reporter` is there once packages move."""

    def __init__(self, session: Session, output: Output, prefix: Path) -> None:
        self._session = session
        self._output = output
        self._prefix = prefix
        self.reporter: Reporter | None = None

    async def run(self, specs: Sequence[str]) -> dict[str, Any]:
        """`engine.InstallResult` as JSON.

        Raises:
            MlinfnError: every foreseen failure, see `failures.translate`.
        """
        output = self._output
        for channel in self._session.settings.channels:
            output.log(f"reading the list of packages of {channel}")
        solution = await Solver(self._session, output).solve(specs)
        if solution.added:
            output.log(f"adding {', '.join(solution.added)}: no package asked for brings a kernel")
        plan = await cost(self._session, solution, self._prefix)
        output.log(summary(plan))
        space.check(self._prefix, plan, WHAT)
        place = Place(self._prefix, Need(plan["installed_bytes"], plan["installed_files"]))
        cache = Path(self._session.settings.pkgs_dir)
        stems = [stem(record) for record in solution.records]
        try:
            await asyncio.to_thread(self._guard, cache, stems)
            await wait_for_cache(cache, self._output)
            await asyncio.to_thread(self._remove_cut_records)
            with in_use(cache):
                await self._install(solution, plan)
                await asyncio.to_thread(cache_guard.remember, cache, stems)
                output.send("progress", progress={"phase": "finishing"})
                await asyncio.to_thread(self._finish, solution)
        except (InstallerError, IoError, LinkError, TransactionError) as error:
            raise translate(error, WHAT, place) from error
        except OSError as error:
            raise from_os_error(WHAT, error, *place) from error
        return {"plan": plan, "link_scripts_not_run": self._link_scripts(solution)}

    async def _install(self, solution: Solution, plan: dict[str, Any]) -> None:
        uncached = {package["name"] for package in plan["packages"] if not package["cached"]}
        self.reporter = Reporter(self._output, solution.records, uncached)
        self.reporter.start()
        try:
            await rattler.install(
                solution.records,
                self._prefix,
                package_cache=self._session.package_cache(),
                client=self._session.client,
                config=self._session.config,
                # Anybody's code would run, unseen: the packages are named in the result instead.
                execute_link_scripts=False,
                requested_specs=[MatchSpec(spec)._match_spec for spec in solution.specs],
                # Its stub demands every method of the protocol, its documentation only those wanted.
                reporter=cast(InstallerReporter, self.reporter),
            )
        finally:
            await asyncio.to_thread(self.reporter.stop)

    def _guard(self, cache: Path, stems: Sequence[str]) -> None:
        """Have packages that were tampered with in the cache fetched anew."""
        state = self._prefix.parent / STATE_FOLDER
        # A hidden folder of the cache is swept by whoever leaves it last.
        trash = state / "trash" if state.is_dir() else cache / ".evicted"
        for bad in cache_guard.ensure(cache, stems, trash):
            self._output.log(f"the cache's copy of {bad} is not what it was: it is fetched anew")

    def _remove_cut_records(self) -> None:
        """Of an earlier attempt, on a disk that was full: rattler would not read past them."""
        for record in (self._prefix / "conda-meta").glob("*.json"):
            try:
                json.loads(record.read_bytes())
            except ValueError:
                self._output.log(f"the record {record.name} was cut off: its package is linked anew")
                record.unlink()

    def _finish(self, solution: Solution) -> None:
        meta = self._prefix / "conda-meta"
        for leftover in meta.glob("prefix_record_*"):
            leftover.unlink(missing_ok=True)  # of an earlier attempt that was killed
        # With it, backup tools would skip the environment.
        (self._prefix / "CACHEDIR.TAG").unlink(missing_ok=True)
        command = ["jupyter", "mlinfn", "env", "create", self._prefix.name, *solution.specs]
        now = datetime.now()  # conda writes local time, without a zone
        history.write(self._prefix, history.entry(command, solution.specs, solution.records, now))

    def _link_scripts(self, solution: Solution) -> list[str]:
        """Packages with ``bin/.NAME-post-link.sh``."""
        names = (record.name.normalized for record in solution.records)
        return sorted(name for name in names if (self._prefix / "bin" / f".{name}-post-link.sh").exists())


async def wait_for_cache(cache: Path, output: Output) -> None:
    """Wait until no other installation is at work on the cache: rattler lets one in at a time, and waits
    without a word, which would look like a channel that stopped answering."""
    descriptor = os.open(cache / cache_guard.INSTALLING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    told = time.monotonic() - _TOLD_EVERY
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - told >= _TOLD_EVERY:
                    told = time.monotonic()
                    output.log("waiting: another installation is at work on the package cache")
                await asyncio.sleep(_ASKED_EVERY)
            else:
                return
    finally:
        os.close(descriptor)


@contextmanager
def in_use(cache: Path) -> Iterator[None]:
    """Hold the package cache in use; the last to leave sweeps it.

    A killed installation leaves half-extracted packages in folders that begin with a dot. They
    may be removed only when no other installation is at work on this cache.
    """
    descriptor = os.open(cache / IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else is at work, and will sweep
        for entry in cache.iterdir():
            if entry.name.startswith(".") and entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
    finally:
        os.close(descriptor)
