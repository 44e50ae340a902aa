"""How long does it take to have an environment with python, ipykernel and pip?

Ours is the whole job: name claimed, solved, installed, kernel registered, journal written, as the
server does it. Everybody gets the same channel over local HTTP, a cache of their own (empty: cold;
filled by the run before: warm) and a new folder; the order turns from round to round. Bare rattler
is solve + install in a process of its own: nothing that uses it can be faster.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlinfn import wiring
from jupyter_mlinfn.config import MlinfnConfig
from jupyter_mlinfn.envs.commands import NoKernels

from .memory import BARE
from .report import NOT_PRESENT, Section, below, ratio, say, seconds

SPECS = ("python", "ipykernel", "pip")
_SERVER = """
import sys
from pathlib import Path
from tests.support.channel_server import ChannelServer
with ChannelServer(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
_TIMEOUT = 300
_BUDGET = 240
"""Seconds after which no further round is begun, lest slow peers on a slow machine take all day."""


class CannotRun(Exception):
    """A peer that is there but does not get through; its own last words."""


@dataclass(frozen=True)
class Peer:
    """Somebody who makes environments.

    Attributes:
        create: makes a prefix in the folder of its state, answers the seconds it took.
        compiles: whether Python's byte code is written before the end.
    """

    name: str
    create: Callable[[Path, str], float]
    compiles: bool


@contextlib.contextmanager
def serving(channel: Path) -> Iterator[str]:
    """The channel's URL; served by another process, so that it takes no time of ours."""
    root = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(channel)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextlib.contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Our own process with other variables, for what looks at them: nothing of the user's is touched."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def isolated(state: Path) -> dict[str, str]:
    """Variables that keep conda, mamba and ours from the user's home."""
    home = state / "home"
    home.mkdir(exist_ok=True)
    return {
        "HOME": str(home),
        "CONDARC": str(home / "none"),
        "CONDA_PKGS_DIRS": str(state / "pkgs"),
        "MAMBA_ROOT_PREFIX": str(state / "root"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }


def timed(command: Sequence[str], environ: Mapping[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=_TIMEOUT
    )
    took = time.perf_counter() - start
    if done.returncode:
        raise CannotRun((done.stderr or done.stdout).strip().splitlines()[-1][:200])
    return took


def ours(url: str) -> Callable[[Path, str], float]:
    async def make(state: Path, name: str) -> float:
        (state / "private").mkdir(exist_ok=True)
        rooms = wiring.build(MlinfnConfig(channels=[url]), state, NoKernels())
        try:
            await rooms.envs.start()
            start = time.perf_counter()
            wanted = await rooms.envs.check(name, name, SPECS, None)
            job = await rooms.jobs.wait((await rooms.envs.create(wanted)).id)
            took = time.perf_counter() - start
        finally:
            await rooms.close()
        if job.state != "done" or not (job.result or {}).get("kernels"):
            raise CannotRun(f"job {job.state}: {job.error}")
        return took

    def create(state: Path, name: str) -> float:
        with variables(isolated(state)):
            return asyncio.run(make(state, name))

    return create


def rattler(url: str) -> Callable[[Path, str], float]:
    def create(state: Path, name: str) -> float:
        command = [sys.executable, "-c", BARE, url, str(state / "cache"), str(state / name), *SPECS]
        return timed(command, {})

    return create


def conda_like(executable: str, url: str, more: Sequence[str] = ()) -> Callable[[Path, str], float]:
    def create(state: Path, name: str) -> float:
        options = ["create", "--yes", "--quiet", "--override-channels", "--channel", url, *more]
        return timed([executable, *options, "--prefix", str(state / name), *SPECS], isolated(state))

    return create


def venv_and_pip(state: Path, name: str) -> float:
    """pip's index is what it is configured to be: the network's, not our channel."""
    cache = {"PIP_CACHE_DIR": str(state / "cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    python = Path(sys.base_prefix) / "bin" / "python3"
    prefix = state / name
    made = timed([str(python), "-m", "venv", str(prefix)], cache)
    return made + timed([str(prefix / "bin" / "python"), "-m", "pip", "install", "-q", "ipykernel"], cache)


def peers(url: str, conda: str | None) -> tuple[list[Peer], list[str]]:
    """Those that are here, and the names of those that are not."""
    found = [
        Peer("bare rattler (the limit)", rattler(url), False),
        Peer("jupyter-mlinfn, until the kernel can be used", ours(url), False),
        Peer("venv + pip install ipykernel", venv_and_pip, True),
    ]
    missing = []
    for name in ("conda", "mamba", "micromamba"):
        executable = (conda if name == "conda" else None) or shutil.which(name)
        if executable is None:
            missing.append(name)
            continue
        # conda's own solver where the faster one, a package of its own, is not installed.
        classic = name == "conda" and not _has_libmamba(executable)
        label = f"{name} {_version(executable)}" + (" (classic solver)" if classic else "")
        more = ("--solver", "classic") if classic else ()
        found.append(Peer(label, conda_like(executable, url, more), name != "micromamba"))
    return found, missing


def _version(executable: str) -> str:
    done = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=60)
    return done.stdout.split()[-1] if done.stdout.split() else "of unknown version"


def _has_libmamba(executable: str) -> bool:
    command = [executable, "config", "--show", "solver"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    help_text = subprocess.run([executable, "create", "--help"], capture_output=True, text=True, timeout=60)
    return "libmamba" in done.stdout and "{classic,libmamba" in help_text.stdout


def measure(channel: Path, scratch: Path, rounds: int, warm_rounds: int, conda: str | None) -> Section:
    """The table.

    Args:
        rounds: of everybody, cold then warm; fewer where they take more than 4 minutes.
        warm_rounds: further ones in which only bare rattler and ours, both fast, take turns, warm.
    """
    times: dict[str, dict[str, list[float]]] = {}
    failed: dict[str, str] = {}
    with serving(channel) as url:
        here, missing = peers(url, conda)
        end = time.monotonic() + _BUDGET
        for number in range(rounds):
            if time.monotonic() > end:
                break
            turn = number % len(here)
            for peer in (*here[turn:], *here[:turn]):
                if peer.name in failed:
                    continue
                say(f"create, round {number + 1} of {rounds}: {peer.name}")
                state = scratch / f"create-{number}"
                state.mkdir()
                kept = times.setdefault(peer.name, {"cold": [], "warm": []})
                try:
                    for what in kept:
                        kept[what].append(peer.create(state, what))
                except (CannotRun, subprocess.TimeoutExpired) as error:
                    failed[peer.name] = str(error)
                shutil.rmtree(state)
        _fast_pair(here[:2], times, scratch, warm_rounds)
    return _section(here, missing, failed, times)


def _fast_pair(pair: Sequence[Peer], times: dict[str, Any], scratch: Path, rounds: int) -> None:
    states = {peer.name: scratch / f"pair-{index}" for index, peer in enumerate(pair)}
    for peer in pair:
        states[peer.name].mkdir()
        peer.create(states[peer.name], "fill")
    for number in range(rounds):
        for peer in pair if number % 2 else reversed(pair):
            times[peer.name]["warm"].append(peer.create(states[peer.name], f"again-{number}"))
    for state in states.values():
        shutil.rmtree(state)


def _section(
    here: Sequence[Peer], missing: Sequence[str], failed: Mapping[str, str], times: Mapping[str, Any]
) -> Section:
    limit, own = (times[peer.name] for peer in here[:2])
    rows = []
    for peer in here:
        if peer.name in failed:
            rows.append([peer.name, *["did not get through"] * 2, "", "", ""])
            continue
        kept = times[peer.name]
        rows.append(
            [
                peer.name,
                seconds(kept["cold"]),
                seconds(kept["warm"]),
                f"{ratio(kept['cold'], limit['cold']):.2f} × / {ratio(kept['warm'], limit['warm']):.2f} ×",
                "yes" if peer.compiles else "no",
                f"{len(kept['cold'])} / {len(kept['warm'])}",
            ]
        )
    rows += [[name, NOT_PRESENT, NOT_PRESENT, "", "", ""] for name in missing]
    conda = next(
        (peer.name for peer in here if peer.name.startswith("conda") and peer.name not in failed), ""
    )
    of_conda = ratio(own["warm"], times[conda]["warm"]) if conda else None
    notes = [f"{name}: {reason}" for name, reason in failed.items()]
    return Section(
        "Creating python + ipykernel + pip",
        "Medians (fastest – slowest); ratios to bare rattler, cold / warm. One channel for all, over local\n"
        "HTTP; pip asks its own index, and need not install a Python. Who compiles writes the byte code\n"
        "before it is done; ours has that done afterwards, at the lowest priority.",
        ["", "cold", "warm", "× bare rattler", "compiles", "n"],
        rows,
        [
            below("Warm at most 1.3 × bare rattler", ratio(own["warm"], limit["warm"]), 1.3, " ×"),
            below("Warm at most 0.2 × conda", of_conda, 0.2, " ×"),
        ],
        notes,
    )
