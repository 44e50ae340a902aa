"""Which packages have builds for CUDA, whether those fit, and why not.

The rule for what is a build for CUDA follows how conda-forge makes and names them
(https://conda-forge.org/docs/user/cuda/, https://conda-forge.org/docs/tags/cuda/): it depends on
``cuda-version``, formerly ``cudatoolkit``, on the libraries of CUDA (``cuda-cudart``, ``libcublas``, …)
or on the virtual package ``__cuda``; or ``__cuda`` is constrained; or its build string says so
(``cuda126_py312h…``, also ``gpu_…`` of other channels). That ``cuda-version`` is only constrained
says nothing: numba and UCX do so in builds that run without a GPU as well.

What a build needs of the driver is the lower bound of its ``__cuda``. Where it has none, the
``cuda-version`` that it depends on has one, and that is the major version: within it older drivers
will do (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rattler import MatchSpec, RepoDataRecord, Version
from rattler.exceptions import GatewayError

from .session import Session
from .solve import Solution, parse

CORES = {"jax": "jaxlib"}
"""Packages whose builds are those of another one, which is then asked for in their place."""

_LIBRARY = re.compile(
    r"cuda-(version|cudart|nvrtc|nvtx|cupti|libraries|runtime|cccl|driver-dev)\b.*"
    r"|cudatoolkit|cudnn|nccl|cutensor|libcu(blas|fft|rand|solver|sparse|dnn)\b.*|pytorch-cuda"
)
_BUILD = re.compile(r"(?:^|[_-])(?:cuda|cu)(?P<number>\d{2,3})(?:_|py|h|$)|(?:^|[_-])(?:cuda|gpu)(?:_|$)")
_TOLD_BY = ("cuda-version", "cudatoolkit", "pytorch-cuda")
_LOWER = re.compile(r">=\s*(\d+(?:\.\d+)*)")
_EXACT = re.compile(r"^=*\s*(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Build:
    """What a build for CUDA is made for.

    Attributes:
        cuda: the version that it was built with; None where it does not say.
        needs: the CUDA that the driver has to support; None where it does not say.
    """

    record: RepoDataRecord
    cuda: str | None
    needs: str | None

    def fits(self, cuda: str | None) -> bool:
        """Whether it can be chosen for that CUDA."""
        return cuda is not None and (self.needs is None or Version(self.needs) <= Version(cuda))


def build_of(record: RepoDataRecord) -> Build | None:
    """What it is made for, if it is a build for CUDA."""
    depends = dict(_split(record.depends))
    constrains = dict(_split(record.constrains))
    name = _BUILD.search(str(record.build))
    is_one = (
        "__cuda" in depends
        or "__cuda" in constrains
        or name is not None
        or any(_LIBRARY.fullmatch(each) for each in depends)
    )
    if not is_one:
        return None
    told = next((depends[each] for each in _TOLD_BY if each in depends), "")
    cuda = _lowest(told) or (_of_number(name["number"]) if name and name["number"] else None)
    needs = _lowest(depends.get("__cuda", "")) or _lowest(constrains.get("__cuda", ""))
    if needs is None and cuda is not None:
        needs = f"{cuda.split('.')[0]}.0"
    return Build(record, cuda, needs)


def _split(dependencies: Iterable[str]) -> Iterable[tuple[str, str]]:
    for dependency in dependencies:
        name, _, rest = dependency.partition(" ")
        yield name, rest


def _lowest(bounds: str) -> str | None:
    found = _LOWER.search(bounds) or _EXACT.search(bounds.strip())
    return found[1] if found else None


def _of_number(number: str) -> str | None:
    """``126`` → 12.6, ``112`` → 11.2."""
    return f"{number[:2]}.{number[2:]}" if len(number) == 3 else f"{number}.0"


class CudaBuilds:
    """Looks into the channels of a session; remembers what it found there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, list[Build]] = {}

    async def marks(self, specs: Sequence[str], solution: Solution, platforms: Any) -> list[dict[str, Any]]:
        """``#/components/schemas/CudaMark`` of those packages asked for that have builds for CUDA.

        Args:
            specs: as the user asked for them.
            solution: what was chosen.
        """
        chosen = {record.name.normalized: record for record in solution.records}
        wanted: dict[str, MatchSpec] = {}
        for spec in parse(specs):
            name = spec.name.normalized
            core = CORES.get(name)
            if core in chosen:
                wanted.setdefault(str(core), MatchSpec(str(core)))
            elif name in chosen:
                wanted[name] = spec
        missing = [name for name in wanted if name not in self._known and build_of(chosen[name]) is None]
        if missing:
            try:
                await self._load(missing, platforms)
            except GatewayError:
                return []  # The packages are chosen; what else there is will be told another time.
        marks = []
        for name, spec in wanted.items():
            mark = self._mark(chosen[name], spec)
            if mark is not None:
                marks.append({"name": name} | mark)
        return marks

    def _mark(self, record: RepoDataRecord, spec: MatchSpec) -> dict[str, Any] | None:
        own = build_of(record)
        if own is not None:
            return {"build": "cuda", "cuda": own.cuda, "needs": own.needs, "version": None}
        builds = [
            build
            for build in self._known.get(record.name.normalized, ())
            if build.record.channel == record.channel and spec.matches(build.record)
        ]
        if not builds:
            return None
        cuda, version = self._session.cuda, str(record.version)
        same = [build for build in builds if str(build.record.version) == version]
        # Of this version, else of the newest that has one: the one that asks least of the driver.
        newest = same or [b for b in builds if b.record.version == max(c.record.version for c in builds)]
        best = min(newest, key=lambda build: Version(build.needs or "0"))
        return {
            "build": "cpu",
            "cuda": best.cuda,
            "needs": None if best.fits(cuda) else best.needs,
            "version": None if same else str(best.record.version),
        }

    async def _load(self, names: Sequence[str], platforms: Any) -> None:
        found = await self._session.gateway.query(
            self._session.channels, platforms, [MatchSpec(name) for name in names], recursive=False
        )
        self._known |= {name: [] for name in names}
        for records in found:
            for record in records:
                build = build_of(record)
                if build is not None:
                    self._known[record.name.normalized].append(build)
