"""How long is the server's event loop held up while an environment is being made?

Measured inside a real Jupyter server. For comparison: the loop at rest, and while bare rattler
makes the same environment in a process that has nothing to do with the server; what is late then is
the machine's doing. Meanwhile a client asks for the job and for the list of environments five times
a second, as a browser does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.server import Platform, Server, running

from .create import SPECS, serving
from .memory import BARE
from .report import Section, below, say

_ROOT = Path(__file__).resolve().parent.parent


def measure(channel: Path, scratch: Path, rounds: int) -> Section:
    """The table; its figures are over all ticks of all rounds."""
    folder = scratch / "lag"
    delays: dict[str, list[float]] = {}
    with serving(channel) as url:
        platform = Platform(folder, [url], environment={"PYTHONPATH": str(_ROOT)})
        enabled = {"ServerApp": {"jpserver_extensions": {"bench.lag_probe": True}}}
        (folder / "config" / "jupyter_server_config.d").mkdir()
        (folder / "config" / "jupyter_server_config.d" / "probe.json").write_text(json.dumps(enabled))
        with running(platform) as server:
            _create(server, "first")  # imports and the kernelspec's first reading are not repeated
            for number in range(rounds):
                say(f"loop lag, round {number + 1} of {rounds}")
                what: dict[str, Callable[[], None]] = {
                    "at rest, asked five times a second": lambda: _ask(server, 1.5),
                    "while bare rattler makes one elsewhere": lambda: _rattler(server, url, folder),
                    "while ours makes one": lambda number=number: _create(server, f"again {number}"),  # type: ignore[misc]  # bound now
                }
                for name, action in what.items():
                    server.get("bench/lag")
                    action()
                    delays.setdefault(name, []).extend(server.get("bench/lag")["delays"])
    shutil.rmtree(folder)
    rows = [
        [name, *(f"{percentile(values, part):.1f}" for part in (0.5, 0.99, 1.0)), f"{len(values)}"]
        for name, values in delays.items()
    ]
    return Section(
        "Loop lag during a creation",
        f"Milliseconds that who asks the server for anything has to wait for its loop; {rounds} creations.",
        ["", "p50", "p99", "max", "ticks"],
        rows,
        [below("p99 below 50 ms", percentile(delays["while ours makes one"], 0.99), 50, " ms")],
    )


def _create(server: Server, label: str) -> None:
    job = server.create(label, SPECS)
    while job["state"] in ("queued", "running"):
        _ask(server, 0.2)
        job = server.job(job["id"])
    if job["state"] != "done":
        raise SystemExit(f"The creation {job['state']}: {job['error']}")


def _ask(server: Server, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        server.get("api/mlinfn/envs")
        server.get("api/mlinfn/jobs")
        time.sleep(0.2)


def _rattler(server: Server, url: str, folder: Path) -> None:
    prefix = folder / "elsewhere"
    command = [sys.executable, "-c", BARE, url, str(folder / "cache"), str(prefix), *SPECS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            _ask(server, 0.2)
    shutil.rmtree(prefix)


def percentile(values: list[float], part: float) -> float:
    """Of which `part` of the values are at most as large."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
