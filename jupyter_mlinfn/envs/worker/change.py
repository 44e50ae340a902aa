"""One change of an environment, from what is asked to a new revision; or what it would be.

The steps are those of `history.transaction`: look what others changed, work out what is to be,
stage it, and only then touch the prefix.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConflictError, DependencyError, from_os_error
from ..history import contents, revisions
from ..history.drift import Drift
from ..history.layout import History
from ..history.transaction import LOG, Transaction, WriterReplaced, recover
from ..marker import Marker, read_marker
from . import space
from .parts import Outcome, Part, Request, Staged
from .protocol import Output
from .session import Session

WHAT = "The environment could not be changed; it is as it was."


class Change:
    """A change that is asked for (`Request`), within one session of the worker."""

    def __init__(self, session: Session, output: Output, request: Request) -> None:
        self._session = session
        self._output = output
        self._request = request
        self._prefix = Path(request.prefix)
        self._history = History(Path(request.history))
        self._part: Part | None = None
        self.planned: Outcome | None = None
        """What `plan` came to."""
        self.manager = request.manager

    @property
    def reporter(self) -> Any:
        """What the stall watch looks at (`progress.Reporter`); None while no package moves."""
        return self._part.reporter if self._part is not None else None

    async def plan(self) -> dict[str, Any]:
        """``#/components/schemas/ChangePlan``, without what only the server knows. Changes nothing.

        Raises:
            MlinfnError: every foreseen failure.
        """
        try:
            revision, drift = await asyncio.to_thread(self._look_without_recording)
            self._check_expected(revision)
            part = await self._open(revision, drift)
            part.unrecorded = drift
            outcome = self.planned = await part.work_out()
        except OSError as error:
            raise from_os_error("It could not be worked out what would change.", error) from error
        return {
            "action": self._request.action,
            "revision": revision["number"],
            "packages": outcome.packages,
            "files": outcome.files,
            "download_bytes": outcome.cost["download_bytes"],
            "installed_bytes": outcome.cost["installed_bytes"],
            "installed_files": outcome.cost["installed_files"],
            "estimated": outcome.cost["estimated"],
            "specs": [*outcome.specs, *outcome.pip_specs],
            "drift": drift.to_json() if drift.matters else None,
            "warnings": outcome.warnings,
        }

    async def run(self) -> dict[str, Any]:
        """Make the change; for who holds the environment's lease.

        Returns:
            ``{"revision": number, "packages": [...]}``, with ``"nothing": true`` where all was so already.
        Raises:
            MlinfnError: every foreseen failure; the environment is then as it was.
        """
        try:
            return await self._run()
        except OSError as error:
            raise from_os_error(WHAT, error, self._prefix) from error

    async def _run(self) -> dict[str, Any]:
        request, output = self._request, self._output
        output.send("progress", progress={"phase": "preparing"})
        marker = await asyncio.to_thread(read, self._prefix)
        for outcome in await asyncio.to_thread(self._recover, marker):
            output.log(f"an earlier change was left half done: {outcome['outcome']}")
        done = await asyncio.to_thread(made_by, self._history, request.change)
        if done is not None:
            output.log("this was done already, before the server ended")
            return {"revision": done["number"], "packages": done["packages"]}
        revision = await asyncio.to_thread(revisions.newest, self._history, self._prefix, marker)
        self._check_expected(revision)
        drift = await asyncio.to_thread(revisions.look, self._history, self._prefix, revision)
        if drift.matters:
            revision = await asyncio.to_thread(
                revisions.record_outside, self._history, self._prefix, revision, drift
            )
            output.log(f"what was changed outside is revision {revision['number']} now")
        part = await self._open(revision, drift)
        planned = await part.work_out()
        for warning in planned.warnings:
            output.send("warning", text=warning)
        if planned.nothing:
            output.log("nothing is to be done: all is so already")
            return {"revision": revision["number"], "packages": [], "nothing": True}
        space.check(self._prefix, planned.cost, WHAT)
        transaction = await asyncio.to_thread(Transaction.begin, self._history, self._prefix, request.change)
        try:
            await part.stage(planned, transaction.staging)
            output.send("progress", progress={"phase": "finishing"})
            record = await asyncio.to_thread(self._prepare, transaction, part, planned, revision, drift)
        except BaseException:  # also a panic of rattler's, and the end of the worker's loop
            await asyncio.to_thread(transaction.discard)
            raise
        output.send("committing")
        await asyncio.to_thread(self._apply, transaction)
        output.log(f"revision {record['number']}")
        result = {"revision": record["number"], "packages": record["packages"]}
        return result | ({"install_again": part.install_again} if part.install_again else {})

    def _look_without_recording(self) -> tuple[dict[str, Any], Drift]:
        marker = read(self._prefix)
        revision = newest_known(self._history, self._prefix, marker)
        return revision, revisions.look(self._history, self._prefix, revision)

    def _recover(self, marker: Marker) -> list[dict[str, str]]:
        return recover(self._history, self._prefix) if self._history.belongs_to(marker.job) else []

    def _check_expected(self, revision: Mapping[str, Any]) -> None:
        expected = self._request.expected
        if expected is not None and expected != revision["number"]:
            raise ConflictError(
                "The environment was changed meanwhile.",
                reason=f"You were shown revision {expected}; it is at revision {revision['number']} now.",
                hint="Look at what would change now, and try again.",
            )

    async def _open(self, revision: dict[str, Any], drift: Drift) -> Part:
        kind = await asyncio.to_thread(_kind, self._request)
        self._part = kind(self._session, self._output, self._request, self._history, revision, drift.contents)
        return self._part

    def _prepare(
        self,
        transaction: Transaction,
        part: Part,
        planned: Outcome,
        before: Mapping[str, Any],
        drift: Drift,
    ) -> dict[str, Any]:
        request = self._request
        staged = part.settle(planned, transaction.staging)
        coming = transaction.staged()
        if request.action != "rollback":
            self._warn_of_shared(coming, staged, drift)
        log = part.log_entry(staged)
        if log:
            _write_log(self._prefix, transaction.staging, log)
            coming.append(LOG)
        record = revisions.body(
            number=before["number"] + 1,
            action=request.action,
            by=request.by,
            asked=request.specs,
            target=request.target,
            packages=staged.packages,
            files=planned.files,
            conda=staged.conda.values(),
            pip=staged.pip.values(),
            specs=planned.specs,
            pip_specs=planned.pip_specs,
            channels=planned.channels,
            job=request.change,
        )
        transaction.prepare(
            coming,
            staged.remove,
            drift.tree,
            record,
            {
                "specs": planned.specs,
                "pip_specs": planned.pip_specs,
                "channels": planned.channels,
                **({"cuda": request.keep_cuda} if request.keep_cuda is not None else {}),
            },
        )
        return record

    def _warn_of_shared(self, coming: Sequence[str], staged: Staged, drift: Drift) -> None:
        """Two packages that bring the same file are in each other's way, and nobody else says so."""
        going = set(staged.remove)
        shared = [path for path in coming if path in drift.tree and path not in going]
        owners = drift.contents.owners() if shared else {}
        others = sorted({owners[path].package for path in shared if path in owners})
        if others:
            owned = [path for path in shared if path in owners]
            self._output.send(
                "warning",
                text=f"{len(owned)} files of {', '.join(others)} are replaced, {owned[0]} among them: two "
                "packages bring the same file, and the one that came last has it.",
            )

    def _apply(self, transaction: Transaction) -> None:
        try:
            transaction.apply()
        except WriterReplaced:
            raise
        except OSError as error:
            raise from_os_error(WHAT, error, self._prefix) from error


def _kind(request: Request) -> type[Part]:
    # Each when it is wanted: what is for pip takes 30 ms to load, and conda's part is asked most.
    if request.action == "rollback":
        from .rollback import RollbackPart

        return RollbackPart
    if request.manager == "pip":
        from .pip_part import PipPart

        return PipPart
    from .conda_part import CondaPart

    return CondaPart


def read(prefix: Path) -> Marker:
    """The marker of an environment that is ours.

    Raises:
        ConflictError: it is not, or not whole.
        DependencyError: it is not there.
    """
    marker = read_marker(prefix)
    if marker is not None and marker.state == "ready":
        return marker
    if not prefix.is_dir():
        raise DependencyError(
            f"{prefix.name} is not there.",
            reason="Your private storage went away, or somebody removed the environment.",
            hint="Try again when your private storage is back.",
        )
    raise ConflictError(
        f"{prefix.name} is not managed here.",
        reason="It was not made by jupyter-mlinfn, or is not whole yet.",
        hint="Adopt it first, in the list of environments.",
    )


def newest_known(history: History, prefix: Path, marker: Marker) -> dict[str, Any]:
    """The newest revision, without writing one where there is none: then what would be the first.

    Raises:
        OSError: the prefix cannot be read.
    """
    number = history.current() if history.belongs_to(marker.job) else None
    if number is not None:
        try:
            return history.read_revision(number)
        except ValueError:
            pass  # damaged: as if there were none, until the next change records it anew
    now = contents.read(prefix)
    return revisions.body(
        number=(number or 0) + 1,
        action="found",
        by="outside",
        asked=(),
        packages=(),
        conda=now.conda.values(),
        pip=now.pip.values(),
        specs=marker.specs,
        pip_specs=marker.pip_specs,
        channels=marker.channels,
    )


def made_by(history: History, change: str) -> dict[str, Any] | None:
    """The revision that a change made, if it did."""
    for number in reversed(history.numbers()[-20:]):
        try:
            record = history.read_revision(number)
        except ValueError:
            continue
        if record["job"] == change:
            return record
    return None


def _write_log(prefix: Path, staging: Path, entry: str) -> None:
    """conda's own log of the environment, with one entry more."""
    log = prefix / LOG
    before = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    (staging / LOG).parent.mkdir(parents=True, exist_ok=True)
    (staging / LOG).write_text(before + entry, encoding="utf-8")
