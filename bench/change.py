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


async def _ours(
    urls: Sequence[str], state: Path, specs: Sequence[str], rounds: int
) -> dict[str, list[float]]:
    (state / "private").mkdir()
    rooms = wiring.build(MlinfnConfig(channels=list(urls)), state, NoKernels())
    times: dict[str, list[float]] = {what: [] for what in _WHAT}
    try:
        await rooms.envs.start()
        wanted = await rooms.envs.check(NAME, NAME, specs, None)
        _done(await rooms.jobs.wait((await rooms.envs.create(wanted)).id))
        found = await rooms.envs.list()
        env_id = found.environments[0].id
        # The first round fills the cache and notes what the environment was made as.
        for number in range(-1, rounds):
            for what, asked in (
                ("install", WantedChange("install", [SMALL])),
                ("back", WantedChange("rollback", target=1)),
            ):
                start = time.perf_counter()
                job = await rooms.jobs.wait((await rooms.revising.change(env_id, asked)).id)
                took = time.perf_counter() - start
                _done(job)
                if number >= 0:
                    times[what].append(took)
    finally:
        await rooms.close()
    return times


def _done(job: Any) -> None:
    if job.state != "done":
        raise CannotRun(f"job {job.state}: {job.error}")


def _conda(
    executable: str, more: Sequence[str], urls: Sequence[str], state: Path, specs: Sequence[str], rounds: int
) -> dict[str, list[float]]:
    channels = ["--override-channels", *(word for url in urls for word in ("--channel", url)), *more]
    prefix = ["--yes", "--quiet", "--prefix", str(state / NAME)]
    environ = isolated(state)
    timed([executable, "create", *prefix, *channels, *specs], environ)
    times: dict[str, list[float]] = {what: [] for what in _WHAT}
    for number in range(-1, rounds):
        took = {
            "install": timed([executable, "install", *prefix, *channels, SMALL], environ),
            "back": timed([executable, "install", *prefix, *channels, "--revision", "0"], environ),
        }
        for what in _WHAT if number >= 0 else ():
            times[what].append(took[what])
    return times


def measure(channel: Path, scratch: Path, rounds: int, conda: str | None) -> Section:
    """The table."""
    say(f"change: building {SIZE / 1e9:.1f} GB of packages")
    specs = ["python", "ipykernel", *build(scratch / "bulk")]
    rows, notes = [], []
    times: dict[str, dict[str, list[float]]] = {}
    with serving(channel) as url, serving(scratch / "bulk") as bulk:
        urls = [url, bulk]
        executable, label, more = _conda_there(url, conda)
        say("change: jupyter-mlinfn")
        state = scratch / "change-ours"
        state.mkdir()
        with variables(isolated(state)):
            times["jupyter-mlinfn"] = asyncio.run(_ours(urls, state, specs, rounds))
        shutil.rmtree(state)
        if executable:
            say(f"change: {label}")
            state = scratch / "change-conda"
            state.mkdir()
            try:
                times[label] = _conda(executable, more, urls, state, specs, max(2, rounds // 3))
            except CannotRun as error:
                notes.append(f"{label}: {error}")
            shutil.rmtree(state)
    shutil.rmtree(scratch / "bulk")
    own, other = times["jupyter-mlinfn"], times.get(label)
    for name, found in times.items():
        rows.append([name, *(seconds(found[what]) for what in _WHAT), f"{len(found['install'])}"])
    if other is None:
        rows.append(["conda", NOT_PRESENT, NOT_PRESENT, ""])
    goals = []
    for what, words in (("install", "A small installation"), ("back", "The way back")):
        goals += [
            below(
                f"{words} at most 0.2 × conda", ratio(own[what], other[what]) if other else None, 0.2, " ×"
            ),
            below(f"{words} at most 2 s (median)", sorted(own[what])[len(own[what]) // 2], 2, " s"),
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
