"""conda's part of a change: install, update and remove by match specs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from rattler import PrefixRecord, RepoDataRecord

from ...disk import Need
from ...errors import BadInputError, ConflictError, NotFoundError
from ..history import contents, differences
from ..history.contents import CondaEntry, Contents, PipEntry
from ..names import package_name
from . import history as conda_log
from . import pip_packages
from .parts import NO_COST, Outcome, Part, Staged
from .solve import Solution, Solver, cost, parse


@dataclass
class _Plan:
    """Records that come, and the entries that go."""

    coming: list[RepoDataRecord]
    going: dict[str, CondaEntry]
    relinked: set[str]
    """Names of packages that only move into another Python's site-packages."""


class CondaPart(Part):
    """See `parts.Part`."""

    async def work_out(self) -> Outcome:
        specs, also, free = self._wanted()
        installed = await asyncio.to_thread(self._installed)
        locked = [record for record in installed if record.name.normalized not in free]
        solver = Solver(self.session, self.output)
        records = await solver.change(specs, locked, also) if specs or also else []
        if self.request.action == "remove":
            self._check_removed(records)
        return await self._outcome(records, specs)

    async def stage(self, planned: Outcome, staging: Path) -> None:
        plan: _Plan = planned.plan
        await self.stager.stage(
            plan.coming,
            into=staging,
            prefix=self.prefix,
            python=self.python(plan),
            specs=planned.specs,
            need=Need(planned.cost["installed_bytes"], planned.cost["installed_files"]),
        )

    def settle(self, planned: Outcome, staging: Path) -> Staged:
        plan: _Plan = planned.plan
        came = staged_conda(staging)
        gone = set(plan.going)
        conda = {name: entry for name, entry in self.now.by_name().items() if name not in gone}
        conda |= came.by_name()
        pip, displaced = self._displaced(staging, conda.get("python"))
        removed = self._files_going(plan.going, displaced)
        packages = list(planned.packages)
        packages += differences.between({}, {}, {name: self.now.pip[name] for name in displaced}, {})
        wanted = {package_name(spec) for spec in planned.specs}
        for entry in conda.values():
            entry["requested"] = entry["name"] in wanted
        planned.pip_specs[:] = [
            spec for spec in planned.pip_specs if canonicalize_name(package_name(spec)) not in displaced
        ]
        return Staged(packages, conda, pip, removed)

    def _files_going(self, going: Mapping[str, CondaEntry], displaced: Sequence[str]) -> list[str]:
        """The files of packages that go, without those that another package has as well."""
        if not going and not displaced:
            return []
        staying = {
            path
            for file, files in self.now.conda_files.items()
            if self.now.conda[file]["name"] not in going
            for path in files
        }
        files = [path for entry in going.values() for path in self.now.conda_files[entry["file"]]]
        files += [path for name in displaced for path in self.now.pip_files[name]]
        return [path for path in files if path not in staying]

    def log_entry(self, staged: Staged) -> str:
        """As conda writes it, so that `conda list --revisions` and `conda env export` know of it."""
        request = self.request
        command = ["jupyter", "mlinfn", "env", request.action, self.prefix.name, *request.specs]
        gone = [entry for name, entry in self.now.by_name().items() if _changed(name, entry, staged.conda)]
        before = self.now.by_name()
        came = [entry for name, entry in staged.conda.items() if _changed(name, entry, before)]
        removing = request.action == "remove"
        return conda_log.change_entry(
            command,
            {"remove" if removing else "update": list(request.specs)},
            gone=[distribution(entry) for entry in gone],
            came=[distribution(entry) for entry in came],
            when=datetime.now(),
        )

    def python(self, plan: _Plan) -> Mapping[str, Any] | None:
        """The record of the Python that stays."""
        entry = self.now.by_name().get("python")
        return entry["record"] if entry is not None and "python" not in plan.going else None

    def _wanted(self) -> tuple[list[str], list[str], set[str]]:
        """What is to be satisfied, what besides is to be had, and the names that need not stay."""
        request = self.request
        texts = [spec.strip() for spec in request.specs if spec.strip()]
        known = {package_name(spec): spec for spec in self.revision["specs"]}
        present = self.now.by_name()
        if request.action == "install":
            if not texts:
                raise BadInputError("There is nothing to install.", hint="Name a package.")
            asked = {spec.name.normalized: text for spec, text in zip(parse(texts), texts, strict=True)}
            return [*(known | asked).values()], [], set()
        names = {package_name(text): text for text in texts}
        unknown = [text for name, text in names.items() if name not in present and name not in known]
        if unknown:
            raise NotFoundError(
                f"{', '.join(unknown)}: not installed here.",
                reason="No conda package of the environment has this name.",
                hint="Choose one from the list of packages.",
                fields={"specs": [{"value": text, "message": "is not installed"} for text in unknown]},
            )
        if request.action == "remove":
            if not names:
                raise BadInputError("There is nothing to remove.", hint="Name a package.")
            return [spec for name, spec in known.items() if name not in names], [], set()
        if not names:
            return [*known.values()], [], set(present)
        # `numpy >=2` also says what is wanted of it from now on.
        parse(texts)
        restated = {name: text for name, text in names.items() if name in known and text.lower() != name}
        also = [text for name, text in names.items() if name not in known]
        return [*(known | restated).values()], also, set(names)

    def _installed(self) -> list[RepoDataRecord]:
        meta = self.prefix / "conda-meta"
        return [PrefixRecord.from_path(meta / file) for file in self.now.conda]

    def _check_removed(self, records: Sequence[RepoDataRecord]) -> None:
        staying = {record.name.normalized: record for record in records}
        for text in self.request.specs:
            name = package_name(text)
            if name in staying:
                users = [
                    other
                    for other, record in staying.items()
                    if any(dependency.split()[0] == name for dependency in record.depends)
                ]
                raise ConflictError(
                    f"{name} cannot be removed alone.",
                    reason=f"These need it: {', '.join(sorted(users))}.",
                    hint="Remove those too, or leave it.",
                    fields={"specs": [{"value": text, "message": f"{', '.join(sorted(users))} need it"}]},
                )

    async def _outcome(self, records: Sequence[RepoDataRecord], specs: list[str]) -> Outcome:
        before = self.now.by_name()
        after = {record.name.normalized: record for record in records}
        entries = {name: entry_of(record) for name, record in after.items()}
        wanted = {package_name(spec) for spec in specs}
        for name, entry in entries.items():
            entry["requested"] = name in wanted
        coming = {name for name, entry in entries.items() if _changed(name, entry, before)}
        relinked = self._relinked(before, entries) - coming
        going = {name: before[name] for name in before if name not in after or name in coming | relinked}
        packages = differences.between(before, entries, {}, {})
        comes = [after[name] for name in sorted(coming | relinked)]
        solution = Solution(comes, specs)
        price = await cost(self.session, solution, self.prefix) if comes else NO_COST
        cached = {package["name"]: package["cached"] for package in price.get("packages", [])}
        for change in packages:
            change["cached"] = bool(cached.get(change["name"], True))
        warnings = list(price.get("warnings", ()))
        warnings += self._warnings(before, entries)
        plan = _Plan(comes, going, relinked)
        revision = self.revision
        told = self.request.cuda_asked and self.request.keep_cuda is not None
        nothing = not packages and not relinked and specs == revision["specs"] and not told
        return Outcome(
            packages=packages,
            specs=specs,
            pip_specs=list(revision["pip_specs"]),
            channels=list(revision["channels"]),
            cost=price,
            warnings=warnings,
            coming=comes,
            nothing=nothing,
            plan=plan,
        )

    def _relinked(self, before: Mapping[str, CondaEntry], after: Mapping[str, CondaEntry]) -> set[str]:
        """Packages without architecture, which have to move when Python's minor version changes."""
        if site_folder(before.get("python")) == site_folder(after.get("python")):
            return set()
        return {name for name, entry in after.items() if entry["record"].get("noarch") == "python"}

    def _warnings(self, before: Mapping[str, CondaEntry], after: Mapping[str, CondaEntry]) -> list[str]:
        warnings = self._held() if not self._any_change(before, after) else []
        if site_folder(before.get("python")) != site_folder(after.get("python")) and self.now.pip:
            names = ", ".join(sorted(self.now.pip))
            warnings.append(
                f"Python changes its version: what pip installed ({names}) goes with the old one, and is "
                "installed again for the new one afterwards."
            )
        return warnings

    def _any_change(self, before: Mapping[str, CondaEntry], after: Mapping[str, CondaEntry]) -> bool:
        return any(_changed(name, entry, before) for name, entry in after.items())

    def _held(self) -> list[str]:
        """Why an update may have found nothing: the user wanted it so."""
        if self.request.action != "update":
            return []
        asked = {package_name(text) for text in self.request.specs}
        held = [
            spec
            for spec in self.revision["specs"]
            if spec.lower() != package_name(spec) and (not asked or package_name(spec) in asked)
        ]
        if not held:
            return []
        return [
            f"You asked for {', '.join(held)} when it was installed, and that holds. To have another "
            "version, install it with the version that you want."
        ]

    def _displaced(self, staging: Path, python: CondaEntry | None) -> tuple[dict[str, PipEntry], list[str]]:
        """pip's distributions afterwards, and those that go: a conda package brings them itself now, or
        they belong to a Python that goes."""
        if site_folder(python) != site_folder(self.now.by_name().get("python")):
            wanted: dict[str, str] = {
                canonicalize_name(package_name(spec)): spec for spec in self.revision["pip_specs"]
            }
            self.install_again = [wanted.get(name, name) for name in self.now.pip if name in wanted]
            return {}, list(self.now.pip)
        brought = {one.name for one in pip_packages.distributions(staging, with_files=False)}
        if not brought:
            brought = {canonicalize_name(path.name.rsplit("-", 1)[0]) for path in _dist_infos(staging)}
        displaced = [name for name in self.now.pip if name in brought]
        return {name: entry for name, entry in self.now.pip.items() if name not in brought}, displaced


def _dist_infos(staging: Path) -> Iterable[Path]:
    for info in staging.glob("lib/python3*/site-packages/*.dist-info"):
        yield info.with_suffix("")


def staged_conda(staging: Path) -> Contents:
    """The conda packages in a staging folder."""
    if not (staging / "conda-meta").is_dir():
        return Contents()
    return contents.read(staging)


def entry_of(record: RepoDataRecord) -> CondaEntry:
    """A record of the channel as a revision remembers packages."""
    noarch = record.noarch
    kind = "python" if noarch.python else "generic" if noarch.generic else None
    return CondaEntry(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        subdir=record.subdir,
        channel=str(record.channel or ""),
        url=record.url,
        sha256=record.sha256.hex() if record.sha256 else None,
        md5=record.md5.hex() if record.md5 else None,
        size=record.size,
        file="",
        requested=False,
        record={
            "noarch": kind,
            "version": str(record.version),
            "python_site_packages_path": record.python_site_packages_path,
        },
    )


def site_folder(python: CondaEntry | None) -> str | None:
    """Where packages without architecture are linked (CEP 17)."""
    if python is None:
        return None
    told = python["record"].get("python_site_packages_path")
    return str(told or f"lib/python{'.'.join(python['version'].split('.')[:2])}/site-packages")


def _changed(name: str, entry: CondaEntry, others: Mapping[str, CondaEntry]) -> bool:
    other = others.get(name)
    return other is None or not contents.same_record(entry, other)


def distribution(entry: CondaEntry) -> str:
    channel = entry["channel"].rstrip("/").removeprefix(conda_log.DEFAULT_ALIAS)
    return f"{channel}/{entry['subdir']}::{entry['name']}-{entry['version']}-{entry['build']}"
