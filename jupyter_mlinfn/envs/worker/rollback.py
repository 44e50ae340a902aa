"""Going back to an earlier revision, as a new one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...disk import Need
from ...errors import ConflictError, MlinfnError, NotFoundError
from ..history import differences, going_back
from ..history.contents import CondaEntry, PipEntry, same_record
from ..history.going_back import Way
from ..history.layout import Damaged
from ..history.tree import sha256_of
from .parts import NO_COST, Outcome, Part, Staged
from .solve import Solution, cost
from .staging import records_of


@dataclass
class _Plan:
    way: Way
    target: dict[str, Any]
    whole: bool = False
    """Whether nothing is kept for the way and every package that differs is linked anew."""
    notes: list[str] = field(default_factory=list)


class RollbackPart(Part):
    """See `parts.Part`."""

    async def work_out(self) -> Outcome:
        target = await asyncio.to_thread(self._target)
        plan = await asyncio.to_thread(self._plan, target)
        coming = list(plan.way.conda.values())
        price: Mapping[str, Any] = NO_COST
        if coming:
            records = records_of(coming)
            price = await cost(self.session, Solution(records, []), self.prefix)
        cached = {package["name"]: package["cached"] for package in price.get("packages", [])}
        packages = differences.between(
            self.now.by_name(),
            {entry["name"]: entry for entry in target["conda"]},
            self.now.pip,
            {entry["name"]: entry for entry in target["pip"]},
        )
        for change in packages:
            change["cached"] = bool(cached.get(change["name"], True))
        return Outcome(
            packages=packages,
            files=self._files(plan, packages),
            specs=list(target["specs"]),
            pip_specs=list(target["pip_specs"]),
            channels=list(target["channels"]),
            cost=price,
            warnings=[*price.get("warnings", ()), *plan.notes],
            nothing=not (packages or plan.way.kept or plan.way.lost or plan.way.gone),
            plan=plan,
        )

    async def stage(self, planned: Outcome, staging: Path) -> None:
        plan: _Plan = planned.plan
        await asyncio.to_thread(going_back.link_kept, plan.way, staging)
        again = staging.with_name("again")
        if plan.way.conda:
            records = await asyncio.to_thread(records_of, [*plan.way.conda.values()])
            python = {entry["name"]: entry for entry in plan.target["conda"]}.get("python")
            await self.stager.stage(
                records,
                into=again,
                prefix=self.prefix,
                python=python["record"] if python is not None else None,
                specs=planned.specs,
                need=Need(planned.cost["installed_bytes"], planned.cost["installed_files"]),
            )
        if plan.way.pip:
            from . import pip_restore

            await asyncio.to_thread(
                pip_restore.stage,
                [*plan.way.pip.values()],
                into=again,
                prefix=self.prefix,
                store=Path(self.request.wheels),
                python=_minor(plan.target),
                log=self.output.log,
            )
        await asyncio.to_thread(self._take, plan, again, staging)

    def settle(self, planned: Outcome, staging: Path) -> Staged:
        plan: _Plan = planned.plan
        target = plan.target
        conda: dict[str, CondaEntry] = {entry["name"]: entry for entry in target["conda"]}
        pip: dict[str, PipEntry] = {entry["name"]: entry for entry in target["pip"]}
        return Staged(planned.packages, conda, pip, sorted(plan.way.gone))

    def log_entry(self, staged: Staged) -> str:
        from datetime import datetime

        from . import history as conda_log
        from .conda_part import distribution

        before, after = self.now.by_name(), staged.conda
        changed = {change["name"] for change in staged.packages if change["manager"] == "conda"}
        return conda_log.change_entry(
            ["jupyter", "mlinfn", "env", "rollback", self.prefix.name, str(self.request.target)],
            {},
            gone=[distribution(before[name]) for name in changed & before.keys()],
            came=[distribution(after[name]) for name in changed & after.keys()],
            when=datetime.now(),
        )

    def _target(self) -> dict[str, Any]:
        number = self.request.target or 0
        try:
            return self.history.read_revision(number)
        except Damaged as error:
            if number not in self.history.numbers():
                raise NotFoundError(
                    f"There is no revision {number}.",
                    reason=f"There are: {', '.join(map(str, self.history.numbers())) or 'none yet'}.",
                ) from error
            raise ConflictError(
                f"One cannot go back to revision {number}.",
                reason=str(error),
                hint="Choose another revision.",
            ) from error

    def _plan(self, target: dict[str, Any]) -> _Plan:
        number = target["number"]
        if not self._kept(number):
            raise ConflictError(
                f"One cannot go back to revision {number} any more.",
                reason="What is needed for it was cleaned up to free space.",
                hint="Choose a later revision.",
            )
        try:
            way = going_back.find(self.history, target, self.prefix, self._unrecorded())
        except Damaged as error:
            # The record of a revision names its packages, and they may be had all the same.
            plan = _Plan(self._by_packages(target), target, whole=True)
            plan.notes.append(f"A record on the way is damaged ({error}); the packages are linked anew.")
            return plan
        return _Plan(way, target)

    def _kept(self, number: int) -> bool:
        current = self.history.current() or 0
        later = range(number + 1, current + 1)
        return all((self.history.revision(each) / "delta.json").exists() for each in later)

    def _unrecorded(self) -> Mapping[str, Any] | None:
        drift = self.unrecorded
        return drift.delta() if drift is not None and drift.matters else None

    def _by_packages(self, target: Mapping[str, Any]) -> Way:
        way = Way()
        before = self.now.by_name()
        wanted = {entry["name"]: entry for entry in target["conda"]}
        wanted_pip = {entry["name"]: entry for entry in target["pip"]}
        for name, entry in before.items():
            if name not in wanted or not same_record(entry, wanted[name]):
                way.gone |= self.now.conda_files[entry["file"]].keys()
        for name, installed in self.now.pip.items():
            if wanted_pip.get(name) != installed:
                way.gone |= self.now.pip_files[name].keys()
        way.conda = {
            name: entry
            for name, entry in wanted.items()
            if name not in before or not same_record(entry, before[name])
        }
        way.pip = {name: entry for name, entry in wanted_pip.items() if self.now.pip.get(name) != entry}
        return way

    def _files(self, plan: _Plan, packages: Sequence[differences.PackageChange]) -> dict[str, Any]:
        """Files that are put right without their package changing."""
        touched = [*plan.way.kept, *plan.way.lost]
        if not touched:
            return differences.no_files()
        owners = self.now.owners()
        changed = {change["name"] for change in packages}
        modified: list[tuple[str, str]] = []
        missing: list[tuple[str, str]] = []
        for path in touched:
            owner = owners.get(path)
            if owner is None or owner.package in changed:
                continue
            there = os.path.lexists(self.prefix / path)
            (modified if there else missing).append((path, owner.package))
        return differences.files(modified, missing, 0)

    def _take(self, plan: _Plan, again: Path, staging: Path) -> None:
        """From the packages that were linked anew, the files that are wanted of them."""
        if not again.is_dir():
            return
        for folder, _, files in os.walk(again):
            for name in files:
                source = Path(folder) / name
                path = source.relative_to(again).as_posix()
                if not (plan.whole or path in plan.way.lost or self._must_come(plan.way, path)):
                    continue
                target = staging / path
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
                plan.way.gone.discard(path)
                plan.way.lost.pop(path, None)
        shutil.rmtree(again, ignore_errors=True)
        known = {path: sha256 for path, sha256 in plan.way.lost.items() if sha256 is not None}
        gone = [path for path, sha256 in known.items() if sha256_of(self.prefix / path) != sha256]
        if gone:
            raise MlinfnError(
                f"Revision {self.request.target} cannot be had again.",
                reason=f"Nobody has {gone[0]} any more"
                + (f", and {len(gone) - 1} more." if gone[1:] else "."),
                hint="Choose another revision, or install the packages anew.",
            )

    def _must_come(self, way: Way, path: str) -> bool:
        """Whether a file of a package that comes back is not there and nobody put it there since."""
        return path not in way.kept and not os.path.lexists(self.prefix / path)


def _minor(target: Mapping[str, Any]) -> str | None:
    for entry in target["conda"]:
        if entry["name"] == "python":
            return ".".join(str(entry["version"]).split(".")[:2])
    return None
