"""How long does a small installation into a big environment take, and the way back?

The environment is 1.1 GB in 40,000 files of 30 packages, beside python and ipykernel. Everybody gets
the same channels over local HTTP and has been there before (warm). Ours is the whole job as the server
does it: drift looked for, solved, staged, journalled, written to the disk, applied.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from rattler.index import index_fs

from jupyter_mlinfn import wiring
from jupyter_mlinfn.config import MlinfnConfig
from jupyter_mlinfn.demo.package import PackageDefinition, PackageFile, write_package
from jupyter_mlinfn.envs.commands import NoKernels
from jupyter_mlinfn.envs.revising import WantedChange

from .create import CannotRun, isolated, peers, serving, timed, variables
from .report import NOT_PRESENT, Section, below, ratio, say, seconds

PACKAGES, FILES, SIZE = 30, 40_000, 1_100_000_000
SMALL = "mlinfn-hello"
NAME = "big"
_WHAT = ("install", "back")


def build(folder: Path) -> list[str]:
    """Write a channel of big packages; their names. A tenth of the files is large, as it is in life."""
    chance = random.Random(1)  # noqa: S311 - repeatable, not secret
    each = FILES // PACKAGES
    usual = SIZE // FILES // 4
    large = (SIZE // FILES - usual * 9 // 10) * 10
    names = [f"bulk-{number:02}" for number in range(PACKAGES)]
    for subdir in ("noarch", "linux-64"):
        (folder / subdir).mkdir(parents=True)
    for name in names:
        noise = chance.randbytes(large + each)
        files = [
            PackageFile(
                f"site-packages/{name.replace('-', '_')}/part{index // 50:02}/data{index:04}.dat",
                noise[index : index + (large if index % 10 == 0 else usual)],
            )
            for index in range(each)
        ]
        definition = PackageDefinition(
            name=name,
            version="1.0",
            subdir="noarch",
            noarch_python=True,
            depends=["python >=3.10"],
            files=files,
        )
        write_package(definition, folder)
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, index_fs(folder, write_zst=True, write_shards=False)).result()
    return names


class Ours:
    """The services of one user, kept open between the rounds as a server does."""

    def __init__(self, urls: Sequence[str], state: Path, specs: Sequence[str]) -> None:
        self._runner = asyncio.new_event_loop()
        self._id = self._runner.run_until_complete(self._create(urls, state, specs))

    async def _create(self, urls: Sequence[str], state: Path, specs: Sequence[str]) -> str:
        (state / "private").mkdir()
        self._rooms = wiring.build(MlinfnConfig(channels=list(urls)), state, NoKernels())
        await self._rooms.envs.start()
        wanted = await self._rooms.envs.check(NAME, NAME, specs, None)
        _done(await self._rooms.jobs.wait((await self._rooms.envs.create(wanted)).id))
        return (await self._rooms.envs.list()).environments[0].id

    def turn(self) -> list[float]:
        """Seconds to install, and to go back."""
        return [
            self._runner.run_until_complete(self._change(asked))
            for asked in (WantedChange("install", [SMALL]), WantedChange("rollback", target=1))
        ]

    async def _change(self, asked: WantedChange) -> float:
        start = time.perf_counter()
        job = await self._rooms.jobs.wait((await self._rooms.revising.change(self._id, asked)).id)
        took = time.perf_counter() - start
        _done(job)
        return took

    def close(self) -> None:
        self._runner.run_until_complete(self._rooms.close())
        self._runner.close()


def _done(job: Any) -> None:
    if job.state != "done":
        raise CannotRun(f"job {job.state}: {job.error}")


class Conda:
    """conda, each time in a process of its own as it always is."""

    def __init__(
        self, executable: str, more: Sequence[str], urls: Sequence[str], state: Path, specs: Sequence[str]
    ) -> None:
        channels = ["--override-channels", *(word for url in urls for word in ("--channel", url)), *more]
        prefix = ["--yes", "--quiet", "--prefix", str(state / NAME)]
        self._install = [executable, "install", *prefix, *channels]
        self._environ = isolated(state)
        timed([executable, "create", *prefix, *channels, *specs], self._environ)

    def turn(self) -> list[float]:
        """Seconds to install, and to go back."""
        return [
            timed([*self._install, SMALL], self._environ),
            timed([*self._install, "--revision", "0"], self._environ),
        ]


def measure(channel: Path, scratch: Path, rounds: int, conda: str | None) -> Section:
    """The table."""
    say(f"change: building {SIZE / 1e9:.1f} GB of packages")
    specs = ["python", "ipykernel", *build(scratch / "bulk")]
    rows, notes = [], []
    times: dict[str, dict[str, list[float]]] = {}
    with serving(channel) as url, serving(scratch / "bulk") as bulk:
        urls = [url, bulk]
        executable, label, more = _conda_there(url, conda)
        folders = {name: scratch / f"change-{name}" for name in ("ours", "conda")}
        for folder in folders.values():
            folder.mkdir()
        with variables(isolated(folders["ours"])):
            say("change: creating")
            ours = Ours(urls, folders["ours"], specs)
            here: dict[str, Ours | Conda] = {"jupyter-mlinfn": ours}
            if executable:
                try:
                    here[label] = Conda(executable, more, urls, folders["conda"], specs)
                except CannotRun as error:
                    notes.append(f"{label}: {error}")
            # The first round fills the caches, and notes what the environment was made as.
            for number in range(-1, rounds):
                say(f"change, round {number + 1} of {rounds}")
                for name in here if number % 2 else reversed(here):
                    took = here[name].turn()
                    kept = times.setdefault(name, {what: [] for what in _WHAT})
                    for what, value in zip(_WHAT, took, strict=True) if number >= 0 else ():
                        kept[what].append(value)
            ours.close()
        for folder in folders.values():
            shutil.rmtree(folder)
    shutil.rmtree(scratch / "bulk")
    own, other = times["jupyter-mlinfn"], times.get(label)
    for name in here:
        found = times[name]
        rows.append([name, *(seconds(found[what]) for what in _WHAT), f"{len(found['install'])}"])
    if other is None:
        rows.append(["conda", NOT_PRESENT, NOT_PRESENT, ""])
    goals = []
    for what, words in (("install", "A small installation"), ("back", "The way back")):
        goals += [
            below(
                f"{words} at most 0.2 × conda", ratio(own[what], other[what]) if other else None, 0.2, " ×"
            ),
            below(f"{words} at most 2 s (median)", median(own[what]), 2, " s"),
        ]
    return Section(
        "A small change of a big environment",
        f"{SMALL} into {SIZE / 1e9:.1f} GB, {FILES:,} files, {PACKAGES} packages, and back; warm. Medians\n"
        "(fastest – slowest). conda goes back by `conda install --revision 0`.",
        ["", "install", "back", "n"],
        rows,
        goals,
        notes,
    )


def _conda_there(url: str, conda: str | None) -> tuple[str | None, str, Sequence[str]]:
    """conda's program, its name and version, and options that it needs."""
    found, _ = peers(url, conda)
    label = next((peer.name for peer in found if peer.name.startswith("conda")), "conda")
    executable = conda or shutil.which("conda")
    return executable, label, ("--solver", "classic") if "classic" in label else ()
