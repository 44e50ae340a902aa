"""pip's part of a change: install, update and remove what the channels do not have."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from ...errors import BadInputError, NotFoundError
from ..history import differences
from ..history.contents import PipEntry
from ..names import package_name
from . import pip_install, pip_packages, pip_requirements, pip_resolve
from .parts import NO_COST, Outcome, Part, Staged
from .pip_models import PlannedWheel, Wheel
from .pip_models import Staged as Unpacked
from .pip_packages import Distribution


@dataclass
class _Plan:
    wheels: Sequence[PlannedWheel] = ()
    removed: Sequence[str] = ()
    """Names that go and do not come back."""
    paths: Sequence[str] = ()
    """Paths of the prefix that go."""
    fetched: Sequence[Wheel] = ()
    unpacked: Sequence[Unpacked] = ()


class PipPart(Part):
    """See `parts.Part`."""

    async def work_out(self) -> Outcome:
        request = self.request
        texts = [spec.strip() for spec in request.specs if spec.strip()]
        self.output.send("progress", progress={"phase": "solving"})
        found = await asyncio.to_thread(pip_packages.distributions, self.prefix)
        owned = {path for files in self.now.conda_files.values() for path in files}
        conda_names = pip_packages.conda_owned(found, owned)
        known: dict[str, str] = {
            canonicalize_name(package_name(spec)): spec for spec in self.revision["pip_specs"]
        }
        if request.action == "remove":
            return self._removal(texts, found, conda_names, known)
        if request.action == "update":
            texts = self._updated(texts, known)
        elif not texts:
            raise BadInputError("There is nothing to install.", hint="Name a package.")
        pip_requirements.check(texts)
        held = {one.name: one.version for one in found if one.name in conda_names}
        wheels = await asyncio.to_thread(
            pip_resolve.resolve,
            self.prefix,
            texts,
            upgrade=request.action == "update",
            held=held,
            log=self.output.log,
        )
        going = [one.name for one in found if one.name in {w.name for w in wheels} - conda_names]
        paths = pip_packages.removal(self.prefix, found, going, conda_names).paths if going else ()
        asked: dict[str, str] = {canonicalize_name(package_name(text)): text for text in texts}
        specs = known | (asked if request.action == "install" else {})
        packages = [self._change(wheel) for wheel in wheels]
        sizes = [wheel.size for wheel in wheels if not self._is_kept(wheel)]
        pip_specs = [*specs.values()]
        return Outcome(
            packages=sorted(packages, key=lambda change: change["name"]),
            specs=list(self.revision["specs"]),
            pip_specs=pip_specs,
            channels=list(self.revision["channels"]),
            cost={
                "download_bytes": None if None in sizes else sum(size or 0 for size in sizes),
                # Wheels of Python sources unpack to about four times their size; compiled ones to three.
                "installed_bytes": 5 * sum(wheel.size or 0 for wheel in wheels),
                "installed_files": 0,
                "estimated": True,
            },
            nothing=not wheels and pip_specs == self.revision["pip_specs"],
            plan=_Plan(wheels=wheels, paths=paths),
        )

    async def stage(self, planned: Outcome, staging: Path) -> None:
        plan: _Plan = planned.plan
        if not plan.wheels:
            return
        self.output.send("progress", progress={"phase": "downloading"})
        plan.fetched = await asyncio.to_thread(
            pip_install.fetch,
            plan.wheels,
            Path(self.request.wheels),
            prefix=self.prefix,
            log=self.output.log,
            progress=lambda progress: self.output.send("progress", progress=progress),
        )
        self.output.send("progress", progress={"phase": "linking"})
        plan.unpacked = await asyncio.to_thread(
            pip_install.stage, plan.fetched, staging=staging, prefix=self.prefix
        )

    def settle(self, planned: Outcome, staging: Path) -> Staged:
        plan: _Plan = planned.plan
        pip = {name: entry for name, entry in self.now.pip.items() if name not in plan.removed}
        pip |= entries(plan.unpacked, plan.fetched)
        return Staged(planned.packages, self.now.by_name(), pip, list(plan.paths))

    def _removal(
        self,
        texts: Sequence[str],
        found: Sequence[Distribution],
        conda_names: set[str],
        known: Mapping[str, str],
    ) -> Outcome:
        if not texts:
            raise BadInputError("There is nothing to remove.", hint="Name a package.")
        names = [canonicalize_name(package_name(text)) for text in texts]
        removal = pip_packages.removal(self.prefix, found, names, conda_names)
        warnings = [
            f"{', '.join(users)} need{'s' if len(users) == 1 else ''} {name}, and may not work without it."
            for name, users in removal.dependents.items()
        ]
        gone = {name: entry for name, entry in self.now.pip.items() if name in removal.versions}
        return Outcome(
            packages=differences.between({}, {}, gone, {}),
            specs=list(self.revision["specs"]),
            pip_specs=[spec for name, spec in known.items() if name not in names],
            channels=list(self.revision["channels"]),
            cost=NO_COST,
            warnings=warnings,
            plan=_Plan(removed=names, paths=removal.paths),
        )

    def _updated(self, texts: Sequence[str], known: Mapping[str, str]) -> list[str]:
        if not texts:
            wanted = [*known.values()]
            if not wanted:
                raise NotFoundError(
                    "There is nothing for pip to update.",
                    reason="No package of the environment was asked of pip.",
                    hint="Update conda's packages instead.",
                )
            return wanted
        unknown = [text for text in texts if canonicalize_name(package_name(text)) not in self.now.pip]
        if unknown:
            raise NotFoundError(
                f"{', '.join(unknown)}: not installed by pip here.",
                hint="Choose one from the list of packages.",
                fields={"specs": [{"value": text, "message": "is not pip's"} for text in unknown]},
            )
        return [known.get(canonicalize_name(text), text) for text in texts]

    def _change(self, wheel: PlannedWheel) -> differences.PackageChange:
        return differences.PackageChange(
            name=wheel.name,
            manager="pip",
            change=differences.kind(wheel.replaces, wheel.version, differences.pip_order),
            from_version=wheel.replaces,
            to_version=wheel.version,
            from_build=None,
            to_build=None,
            size=wheel.size,
            cached=self._is_kept(wheel),
            requested=wheel.requested,
        )

    def _is_kept(self, wheel: PlannedWheel) -> bool:
        return wheel.sha256 is not None and (Path(self.request.wheels) / wheel.sha256).is_dir()


def entries(staged: Sequence[Unpacked], wheels: Sequence[Wheel]) -> dict[str, PipEntry]:
    """The distributions that were staged, as a revision remembers them."""
    by_name = {wheel.name: wheel for wheel in wheels}
    found: dict[str, PipEntry] = {}
    for one in staged:
        wheel = by_name[one.name]
        record = next(path for path in one.files if path.endswith(".dist-info/RECORD"))
        found[one.name] = PipEntry(
            name=one.name,
            version=one.version,
            folder=record.removesuffix("/RECORD"),
            record_sha256=one.record_sha256,
            wheel_sha256=wheel.sha256,
            wheel=wheel.file.name,
            url=wheel.url,
            direct_url=wheel.direct_url,
            requested=wheel.requested,
        )
    return found
