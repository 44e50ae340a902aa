"""From match specs to a solution, and what it would cost."""

from __future__ import annotations

import asyncio
import datetime
import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rattler
from rattler import MatchSpec, RepoDataRecord, Subdir
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from ...errors import BadInputError, MlinfnError, UnsolvableError
from ...sizes import in_words
from . import memory, space
from .failures import translate
from .protocol import Output
from .session import Session

WHAT = "The packages could not be worked out."

SOLVE_BASE = 60_000_000
SOLVE_FACTOR = 0.85
"""Anonymous memory of a solve: base + factor x repodata.json. Measured with bench/memory.py on
517 MB of repodata (900,000 records), rattler 0.28: 69 MB for a package without dependencies,
490 MB for one that reaches the 400 most used names (90,000 records); .zst or .json, two threads
or all, cold or warm are within 5 %. The file itself is mapped, which the kernel can take back."""

KERNELS = frozenset(
    {
        "almond",
        "beakerx_kernel_java",
        "bash_kernel",
        "calysto_bash",
        "calysto_processing",
        "calysto_scheme",
        "evcxr_jupyter",
        "fsharp-jupyter",
        "gophernotes",
        "ihaskell",
        "ijavascript",
        "ipykernel",
        "iruby",
        "r-irkernel",
        "sos-notebook",
        "spylon-kernel",
        "tslab",
    }
)
_KERNEL_NAME = re.compile(r"^(xeus-(?!zmq$|core$|lite$|python-shell)[a-z0-9-]+|[a-z0-9_.]+[-_]kernel)$")

_WITH_BUILD = re.compile(r"[^\s=<>!~\[\]]+={1,2}[^\s=<>!~]+=[^\s=<>!~]+")
"""``pytorch=*=cuda*``: conda's way to name a build, which rattler takes only where it is not strict."""


@dataclass
class Solution:
    """Records that satisfy `specs`."""

    records: list[RepoDataRecord]
    specs: list[str]
    added: list[str] = field(default_factory=list)


def is_kernel(name: str) -> bool:
    """Whether a package is a kernel by its name: on conda-forge they are named `*_kernel`,
    `*-kernel`, `xeus-*`, or are in the list."""
    return name in KERNELS or _KERNEL_NAME.match(name) is not None


def any_kernel(records: Sequence[RepoDataRecord], caches: Sequence[Path]) -> bool:
    """Whether one of the packages installs a kernelspec: by its name, else by its files
    where it is cached."""
    names = [record.name.normalized for record in records]
    if any(map(is_kernel, names)):
        return True
    stems = [stem(record) for record in records]
    return any(_lists_kernel(cache / each / "info" / "paths.json") for each in stems for cache in caches)


def stem(record: RepoDataRecord) -> str:
    """``NAME-VERSION-BUILD``: the package's folder in a cache."""
    return record.file_name.removesuffix(".conda").removesuffix(".tar.bz2")


def _lists_kernel(paths: Path) -> bool:
    try:
        text = paths.read_text()
    except OSError:
        return False
    return re.search(r'share/jupyter/kernels/[^/"]+/kernel\.json"', text) is not None


def parse(specs: Sequence[str]) -> list[MatchSpec]:
    """Match specs of texts.

    Raises:
        BadInputError: with every text that is none, in ``fields["specs"]``.
    """
    parsed: list[MatchSpec] = []
    bad: list[dict[str, Any]] = []
    for text in specs:
        try:
            spec = MatchSpec(text, strict=_WITH_BUILD.fullmatch(text.strip()) is None)
        except InvalidMatchSpecError as error:
            bad.append({"value": text, "message": str(error).splitlines()[0]})
            continue
        if spec.name.normalized.startswith("-"):
            bad.append({"value": text, "message": "a package's name does not begin with a dash"})
            continue
        parsed.append(spec)
    if bad:
        values = ", ".join(repr(entry["value"]) for entry in bad)
        raise BadInputError(
            f"Not a package and version: {values}.",
            reason="; ".join(entry["message"] for entry in bad),
            hint="Write a name, and a version if you need one: numpy, numpy=2.1, 'numpy >=2,<3'.",
            fields={"specs": bad},
        )
    return parsed


class Solver:
    """Solves within one session."""

    def __init__(self, session: Session, output: Output) -> None:
        self._session = session
        self._output = output
        self._names: list[str] | None = None
        self.platforms = [Subdir.current(), Subdir("noarch")]

    async def names(self) -> list[str]:
        """All names in the channels. The first call loads the channels' lists, onto the disk.

        Raises:
            DependencyError: a channel does not deliver.
        """
        if self._names is None:
            try:
                found = await self._session.gateway.names(self._session.channels, self.platforms)
            except GatewayError as error:
                self._forget_damaged(str(error))
                what = "The list of packages could not be loaded."
                raise translate(error, what, channels=self._session.settings.channels) from error
            self._names = [name.normalized for name in found]
        return self._names

    async def solve(self, specs: Sequence[str]) -> Solution:
        """Solve `specs`, with ``ipykernel`` added where nothing in the solution is a kernel.

        Raises:
            BadInputError: a spec cannot be read.
            UnsolvableError: unknown packages, or versions that do not go together.
            DependencyError: a channel does not deliver.
            NoSpaceError: it would take more memory than there is.
        """
        parsed = parse(specs)
        self._output.send("progress", progress={"phase": "preparing"})
        names = await self.names()
        self._check_known(parsed, specs, names)
        self._check_memory()
        self._output.send("progress", progress={"phase": "solving"})
        caches = self._session.cache_folders()
        refusal: MlinfnError | None = None
        if "ipykernel" in names and not any(is_kernel(spec.name.normalized) for spec in parsed):
            # Most often it has to be added: that guess first saves the second of two solves.
            try:
                guess = await self._with_ipykernel(parsed, specs)
            except UnsolvableError as error:
                refusal = error
            else:
                others = [record for record in guess.records if record.name.normalized != "ipykernel"]
                if not await asyncio.to_thread(any_kernel, others, caches):
                    return guess
        records = await self._solve(parsed, specs) if parsed else []
        if await asyncio.to_thread(any_kernel, records, caches):
            return Solution(records, list(specs))
        if refusal is not None:
            raise refusal
        if "ipykernel" not in names:
            raise UnsolvableError(
                "The environment would have no kernel.",
                reason="No package asked for brings one, and the channels have no ipykernel.",
                hint="Add a channel that has ipykernel, such as conda-forge, or a package with a kernel.",
            )
        return await self._with_ipykernel(parsed, specs)

    async def change(
        self,
        specs: Sequence[str],
        locked: Sequence[RepoDataRecord],
        also: Sequence[str] = (),
    ) -> list[RepoDataRecord]:
        """What an environment will be.

        Args:
            specs: all that it is to satisfy.
            locked: what is installed and is to stay as far as the specs allow.
            also: names to be had that nobody asks for in the long run.

        Raises:
            BadInputError, UnsolvableError, DependencyError, NoSpaceError: as for `solve`.
        """
        everything = [*specs, *also]
        parsed = parse(everything)
        self._output.send("progress", progress={"phase": "preparing"})
        installed = {record.name.normalized for record in locked}
        names = await self.names()
        self._check_known(parsed, everything, [*names, *installed])
        self._check_memory()
        self._output.send("progress", progress={"phase": "solving"})
        return await self._solve(parsed, everything, locked)

    async def _with_ipykernel(self, parsed: Sequence[MatchSpec], specs: Sequence[str]) -> Solution:
        everything = [*specs, "ipykernel"]
        records = await self._solve([*parsed, MatchSpec("ipykernel")], everything)
        if any(dependency.split()[0] == "ipykernel" for record in records for dependency in record.depends):
            return Solution(records, list(specs))  # it would have come anyway
        return Solution(records, everything, ["ipykernel"])

    async def _solve(
        self,
        parsed: Sequence[MatchSpec],
        specs: Sequence[str],
        locked: Sequence[RepoDataRecord] = (),
    ) -> list[RepoDataRecord]:
        session = self._session
        try:
            return await rattler.solve(
                session.channels,
                parsed,
                gateway=session.gateway,
                platforms=self.platforms,
                locked_packages=list(locked),
                virtual_packages=session.virtual_packages,
                timeout=datetime.timedelta(seconds=session.settings.solve_timeout),
                channel_priority=session.priority,
                constraints=session.pins,
            )
        except SolverError as error:
            raise self._unsolvable(str(error), parsed, specs) from error
        except GatewayError as error:
            self._forget_damaged(str(error))
            raise translate(error, WHAT, channels=self._session.settings.channels) from error

    def _forget_damaged(self, text: str) -> None:
        """A list that cannot be read would be found in the cache again, and again be of no use."""
        if "failed to parse" in text:
            for channel in self._session.channels:
                self._session.gateway.clear_repodata_cache(channel, clear_disk=True)

    def _check_known(self, parsed: Sequence[MatchSpec], specs: Sequence[str], names: Sequence[str]) -> None:
        known = set(names)
        unknown: list[dict[str, Any]] = []
        missing: list[str] = []
        for spec, text in zip(parsed, specs, strict=True):
            name = spec.name.normalized
            if name not in known and not name.startswith("__"):
                missing.append(name)
                unknown.append(
                    {
                        "value": text,
                        "message": f"there is no package {name} in the channels",
                        "suggestions": nearest(name, names),
                    }
                )
        if unknown:
            first = unknown[0]["suggestions"]
            raise UnsolvableError(
                "There is no package " + ", ".join(missing) + ".",
                reason="Looked in " + ", ".join(self._session.settings.channels) + ".",
                hint=f"Did you mean {', '.join(first)}?"
                if first
                else "Check the name, or add the channel that has it.",
                fields={"specs": unknown},
            )

    def _check_memory(self) -> None:
        """Refuse in words what would end with the kernel's killer."""
        settings = self._session.settings
        free = memory.free_memory()
        if settings.memory_budget is not None:
            room = settings.memory_budget - memory.own_memory()
            free = room if free is None else min(free, room)
        if free is None:
            return
        size = repodata_bytes(Path(settings.repodata_dir), settings.channels)
        if not size:  # sharded: only the packages in question are loaded
            return
        # What an earlier solve of this process loaded is held already.
        needed = SOLVE_BASE + int(SOLVE_FACTOR * size) - memory.own_memory()
        if needed > free:
            raise memory.too_little(needed, max(0, free))

    def _unsolvable(self, text: str, parsed: Sequence[MatchSpec], specs: Sequence[str]) -> MlinfnError:
        explanation = text.removeprefix("Cannot solve the request because of: ").strip()
        if "timeout" in explanation.lower() or "cancelled" in explanation.lower():
            return UnsolvableError(
                "The packages could not be worked out in time.",
                reason=f"No solution was found within {self._session.settings.solve_timeout:.0f} seconds.",
                hint="Give versions for the largest packages: that leaves less to look through.",
            )
        guilty = []
        for spec, value in zip(parsed, specs, strict=True):
            name = re.escape(spec.name.normalized)
            if re.search(rf"(?<![\w.-]){name}(?![\w.-])", explanation):
                none_fits = re.search(rf"No candidates were found for {name}(?![\w.-])", explanation)
                message = "no such version in the channels" if none_fits else "does not go with the others"
                guilty.append({"value": value, "message": message})
        no_version = explanation.startswith("No candidates were found for ")
        hint = "Ask for other versions, or leave the version out."
        if re.search(r"(?<![\w.-])__cuda(?![\w.-])", explanation):
            chosen = self._session.cuda
            hint = (
                f"Packages are chosen for CUDA {chosen}: choose another version, or other builds."
                if chosen
                else "Packages are chosen for the CPU: choose a version of CUDA, or other builds."
            )
        return UnsolvableError(
            "There is no such version." if no_version else "These packages do not go together.",
            reason=explanation,
            hint=hint,
            fields={"specs": guilty},
        )


def nearest(name: str, names: Sequence[str]) -> list[str]:
    """Up to three names that look like `name`."""
    # Comparing with all 26,000 takes a second; a typing error rarely changes the length much.
    alike = [known for known in names if abs(len(known) - len(name)) <= 3]
    return difflib.get_close_matches(name, alike, n=3, cutoff=0.7)


def repodata_bytes(folder: Path, channels: Sequence[str]) -> int:
    """Bytes of the unsharded repodata.json in the cache for `channels`: rattler keeps the URL of
    ``X.json`` in ``X.info.json``."""
    total = 0
    for info in folder.glob("*.info.json"):
        try:
            url = str(json.loads(info.read_text()).get("url", ""))
            if any(url.startswith(channel.rstrip("/") + "/") for channel in channels):
                total += info.with_name(info.name.replace(".info.json", ".json")).stat().st_size
        except (OSError, ValueError):
            continue  # another process is replacing it
    return total


async def cost(session: Session, solution: Solution, prefix: Path | None) -> dict[str, Any]:
    """`models.Plan` as JSON."""
    index = await session.package_cache().index()
    records = solution.records
    cached = [index.contains_record(record) for record in records]
    need = await asyncio.to_thread(space.needed, records, cached, session.cache_folders(), prefix)
    warnings = []
    sizes = [record.size for record, there in zip(records, cached, strict=True) if not there]
    if None in sizes:
        warnings.append("The channel does not say how large every package is: the download may be larger.")
    return {
        "packages": [
            {
                "name": record.name.normalized,
                "version": str(record.version),
                "build": str(record.build),
                "channel": record.channel.rstrip("/"),
                "url": record.url,
                "size": record.size,
                "cached": there,
            }
            for record, there in sorted(
                zip(records, cached, strict=True), key=lambda pair: pair[0].name.normalized
            )
        ],
        "download_bytes": sum(size or 0 for size in sizes),
        "installed_bytes": need.size,
        "installed_files": need.inodes,
        "estimated": need.estimated,
        "specs": solution.specs,
        "added_specs": solution.added,
        "warnings": warnings,
    }


def summary(plan: dict[str, Any]) -> str:
    """One line for the log."""
    return (
        f"{len(plan['packages'])} packages, {in_words(plan['download_bytes'])} to download, "
        f"{'about ' if plan['estimated'] else ''}{in_words(plan['installed_bytes'])} on disk"
    )
