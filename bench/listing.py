"""How long does listing 100 environments with their kernels take?

    python -m bench.listing [--environments 100] [--rounds 20] [--nb-conda-kernels CHECKOUT] [--json]

Side by side in one run, interleaved round by round: our scan warm, after a touch of one
environment, and cold (a new scanner); a plain scan that caches nothing; keeping the kernelspecs
on disk in step when nothing changed; and nb_conda_kernels' own scan of the same prefixes, without
the time of the `conda info` that precedes it. "Lag" is how long an event loop is kept from
running while our warm scan goes on in its thread. Times are medians, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyter_mlinfn.envs.kernelspecs import KernelspecWriter
from jupyter_mlinfn.envs.scan import EnvironmentScanner

from .report import NOT_PRESENT, Section, below, say

PACKAGES = 60
LONG_AGO = (1_700_000_000, 1_700_000_000)


def lay_out(folder: Path, environments: int) -> None:
    """Prefixes with as many records as a small real one, and one kernel each."""
    for number in range(environments):
        prefix = folder / f"env{number:03}"
        meta = prefix / "conda-meta"
        meta.mkdir(parents=True)
        names = ["python-3.12.1-h_0", *(f"package{other}-1.{other}-h_0" for other in range(PACKAGES - 1))]
        for name in names:
            (meta / f"{name}.json").write_text(json.dumps({"name": name, "files": ["f"] * 100}))
        (meta / "history").write_text("# update specs: ['python', 'ipykernel']\n")
        kernel = prefix / "share" / "jupyter" / "kernels" / "python3"
        kernel.mkdir(parents=True)
        argv = [str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python 3 (ipykernel)", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec))
        for path in (meta / "history", meta, kernel / "kernel.json", kernel.parent):
            os.utime(path, LONG_AGO)


def plain_scan(folder: Path) -> int:
    """The same answer with nothing remembered, written as one would at first."""
    found = 0
    for prefix in sorted(folder.iterdir()):
        if not (prefix / "conda-meta" / "history").exists():
            continue
        packages = len(list((prefix / "conda-meta").glob("*.json")))
        for spec in prefix.glob("share/jupyter/kernels/*/kernel.json"):
            json.loads(spec.read_text())
            found += packages > 0
    return found


@contextlib.contextmanager
def nb_conda_kernels(
    checkout: Path | None, folder: Path, scratch: Path
) -> Iterator[Callable[[], int] | None]:
    """A function that makes the real one scan anew; None where there is no checkout."""
    if checkout is None:
        yield None
        return
    prefixes = sorted(str(prefix) for prefix in folder.iterdir())
    info = {"conda_prefix": "/opt/conda", "envs": prefixes, "envs_dirs": []}
    conda = scratch / "conda"
    conda.write_text(f"#!{sys.executable}\nprint({json.dumps(info)!r})\n")
    conda.chmod(0o755)
    os.environ["CONDA_EXE"] = str(conda)
    sys.path.insert(0, str(checkout))
    manager = importlib.import_module("nb_conda_kernels.manager").CondaKernelSpecManager(
        log=logging.getLogger("quiet")
    )
    yield lambda: len(manager._all_specs())


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


async def lag_during(action: Callable[[], object]) -> float:
    """The longest pause of the event loop while the action runs in a thread, in ms."""
    longest = 0.0
    task = asyncio.create_task(asyncio.to_thread(action))
    while not task.done():
        before = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - before)
    await task
    return longest * 1000


def measure(environments: int, rounds: int, checkout: Path | None) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "environments"
        lay_out(folder, environments)
        scanner = EnvironmentScanner(folder)
        writer = KernelspecWriter(Path(scratch) / "kernels")
        first = scanner.scan()
        writer.sync(first.environments)
        for path in (Path(scratch) / "kernels").glob("*/kernel.json"):
            os.utime(path, LONG_AGO)  # As they are a few seconds later: what is younger is read again.
        kernels = sum(len(environment.kernels) for environment in first.environments)
        if kernels != environments:
            raise SystemExit(f"{environments} kernels were laid out and {kernels} found")
        with nb_conda_kernels(checkout, folder, Path(scratch)) as peer:
            for number in range(rounds):
                touched = folder / f"env{number % environments:03}" / "conda-meta"
                moment = LONG_AGO[0] + 10 + number
                actions: dict[str, Callable[[], object]] = {
                    "warm": scanner.scan,
                    "after a touch": scanner.scan,
                    "cold": EnvironmentScanner(folder).scan,
                    "plain scan": lambda: plain_scan(folder),
                    "sync, nothing changed": lambda: writer.sync(scanner.scan().environments),
                }
                if peer is not None:
                    actions["nb_conda_kernels"] = peer
                for name, action in actions.items():
                    if name == "after a touch":
                        os.utime(touched, (moment, moment))
                    times.setdefault(name, []).append(timed(action))
                times.setdefault("lag, warm", []).append(asyncio.run(lag_during(scanner.scan)))
    return {
        "environments": environments,
        "rounds": rounds,
        "ms": {name: statistics.median(values) for name, values in times.items()},
        "worst_ms": {name: max(values) for name, values in times.items()},
    }


def section(rounds: int, environments: int = 100) -> Section:
    """The table."""
    say(f"listing {environments} environments, {rounds} rounds")
    found = measure(environments, rounds, None)
    medians, worst = found["ms"], found["worst_ms"]
    plain = medians["plain scan"]
    rows = [
        [name, f"{median:.2f}", f"{worst[name]:.2f}", f"{median / plain:.2f} ×"]
        for name, median in medians.items()
    ]
    rows.append(["nb_conda_kernels (--nb-conda-kernels)", NOT_PRESENT, "", ""])
    return Section(
        f"Listing {environments} environments with their kernels",
        f"Milliseconds in the thread that scans, median of {rounds}; “lag” is how long the event loop is\n"
        "kept from running meanwhile. A plain scan remembers nothing.",
        ["", "median", "worst", "× plain scan"],
        rows,
        [
            below("At most 5 ms on the loop (longest pause, median)", medians["lag, warm"], 5, " ms"),
        ],
        [f"The whole of a warm listing, in its thread: {medians['warm']:.2f} ms."],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--environments", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--nb-conda-kernels", type=Path, metavar="CHECKOUT")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.environments, options.rounds, options.nb_conda_kernels)
    if options.json:
        print(json.dumps(result))
        return
    plain = result["ms"]["plain scan"]
    print(f"{result['environments']} environments, {result['rounds']} rounds, medians")
    for name, median in result["ms"].items():
        ratio = "" if name.startswith("lag") else f"  {median / plain:6.3f} x plain"
        print(f"{name:24} {median:8.2f} ms  (worst {result['worst_ms'][name]:8.2f}){ratio}")
    if options.nb_conda_kernels is None:
        print(f"{'nb_conda_kernels':24} not present")


if __name__ == "__main__":
    main()
