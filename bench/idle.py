"""What does it cost that a server knows whether it is idle?

With the policy on, with it off, and without the extension, at the same time: so that a busy machine
is as busy for each. Then how long the event loop is held up where there is much to look at.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from jupyter_mlinfn.idle.sources.belonging import VARIABLE
from jupyter_mlinfn.idle.sources.processes import WALK_EVERY
from tests.support import small_kernel
from tests.support.server import Platform, Server, running

from .lag import percentile
from .report import Section, below, say

ON, OFF, WITHOUT = "policy on", "policy off", "without jupyter-mlinfn"

_ROOT = Path(__file__).resolve().parent.parent
_HOURS = 4 * 3600.0
"""The policy of a server whose cost is measured: seconds."""
_SETTLE = 5.0
_SHORT = 32.0
"""The same where stalls are looked for: it looks and walks every eighth of that, in place of every 30 and
60 seconds, and is never idle for the pages' reports."""
_KERNELS, _PROCESSES = 200, 2000
_BUSY_FOR = 4.0
_IPYKERNEL = 60e6
"""Bytes of memory."""
_PAGE = {"page": "a-page-of-the-benchmark", "visible": True, "input_seconds_ago": 0}


def measure(scratch: Path, windows: int, watch: float) -> list[Section]:
    """Two tables.

    Args:
        windows: minutes of which each is measured.
        watch: seconds for which a loop is watched.
    """
    folder = scratch / "idle"
    sections = [_cost(folder / "cost", windows), _stalls(folder / "stalls", watch)]
    shutil.rmtree(folder)
    return sections


def _platform(folder: Path, timeout: float | None) -> Platform:
    traits = {} if timeout is None else {"idle_timeout": timeout}
    folder.mkdir(parents=True)
    platform = Platform(
        folder, ["https://channel.invalid"], traits=traits, environment={"PYTHONPATH": str(_ROOT)}
    )
    probe = folder / "config" / "jupyter_server_config.d" / "probe.json"
    probe.parent.mkdir()
    probe.write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"bench.lag_probe": True}}}))
    return platform


def _cost(folder: Path, windows: int) -> Section:
    used: dict[str, list[float]] = {name: [] for name in (WITHOUT, OFF, ON)}
    with ExitStack() as stack:
        servers = {}
        for name in used:
            platform = _platform(folder / name.replace(" ", "-"), _HOURS if name == ON else None)
            server = stack.enter_context(running(platform, lab=True, enabled=name != WITHOUT))
            _session(server, "python3", 0)
            servers[name] = server
        time.sleep(_SETTLE)
        looked_at = len(psutil.pids())
        for number in range(windows):
            say(f"the cost of `idle`, minute {number + 1} of {windows}")
            before = {name: (_processor(each), time.monotonic()) for name, each in servers.items()}
            _report(servers[ON])
            time.sleep(WALK_EVERY)
            for name, server in servers.items():
                then, at = before[name]
                used[name].append((_processor(server) - then) / (time.monotonic() - at) * 100)
    more = {
        name: statistics.median(ours - theirs for ours, theirs in zip(values, used[WITHOUT], strict=True))
        for name, values in used.items()
    }
    on_off = statistics.median(on - off for on, off in zip(used[ON], used[OFF], strict=True))
    rows = [
        [name, f"{statistics.median(values):.3f} %", f"{max(values):.3f} %", f"{more[name]:+.3f} %"]
        for name, values in used.items()
    ]
    rows[0][-1] = ""
    return Section(
        "An idle server that knows it",
        f"""Per cent of a core that the process of a JupyterLab server takes while it does nothing: one idle
kernel each, and where the policy is on ({_HOURS / 3600:.0f} hours) a page that reports each minute that
somebody is there. The three run side by side for {windows} × {WALK_EVERY:.0f} seconds; “more” is the median
of what each takes more than the one without, in the same minute. There were {looked_at} processes on the
machine.""",
        ["", "median", "most", "more"],
        rows,
        [
            below("All on: at most 0.1 % of a core more than without the extension", more[ON], 0.1, " %"),
            below("All on: at most 0.1 % of a core more than with the policy off", on_off, 0.1, " %"),
        ],
    )


@dataclass(frozen=True)
class _Delays:
    """Of a server's loop, ms; see `lag_probe.Probe`."""

    delays: list[float]
    own: list[float]


def _stalls(folder: Path, watch: float) -> Section:
    seen = {name: _watched(folder / name.replace(" ", "-"), name, watch) for name in (WITHOUT, ON)}
    rows = [
        [
            name,
            *(f"{percentile(each.delays, part):.1f}" for part in (0.5, 0.99, 1.0)),
            *(f"{percentile(each.own, part):.1f}" for part in (0.99, 1.0)),
            f"{len(each.delays)}",
        ]
        for name, each in seen.items()
    ]
    return Section(
        "The loop of a server with much to look at",
        f"""Milliseconds that who asks the server for anything has to wait for its loop. It has {_KERNELS}
kernels, each with a notebook, busy for {_BUSY_FOR:.0f} seconds and idle for as many, and {_PROCESSES:,} other
processes. It is asked five times a second, for {watch:.0f} seconds from when the processes are there. The
policy is one of {_SHORT:.0f} seconds: all is looked at every {_SHORT / 8:.0f} seconds, which is every 30 or
60 with one of hours. “Own”: without the time that the loop was ready to go on and other programs had the
processors. The kernels are real processes that run nothing: as many of ipykernel would take
{_KERNELS * _IPYKERNEL / 1e9:.0f} GB.""",
        ["", "p50", "p99", "max", "own p99", "own max", "ticks"],
        rows,
        [below("No stall of its own over 50 ms", max(seen[ON].own), 50, " ms")],
    )


def _watched(folder: Path, name: str, watch: float) -> _Delays:
    ours = name == ON
    platform = _platform(folder, _SHORT if ours else None)
    kind = small_kernel.kernelspec(platform.kernels, busy_for=_BUSY_FOR)
    with running(platform, enabled=ours) as server:
        say(f"stalls, {name}: starting {_KERNELS} kernels and {_PROCESSES:,} processes")
        with ThreadPoolExecutor(4) as some:
            list(some.map(lambda number: _session(server, kind, number), range(_KERNELS)))
        with _sleepers(_PROCESSES, _marker(server)):
            server.get("bench/lag")
            _ask(server, ours, watch)
            return _Delays(**server.get("bench/lag"))


def _ask(server: Server, ours: bool, watch: float) -> None:
    most_busy = 0
    end = time.monotonic() + watch
    while time.monotonic() < end:
        server.get("api/status")
        if ours:
            most_busy = max(most_busy, len(server.get("api/mlinfn/idle")["busy"]))
            _report(server)
        time.sleep(0.2)
    if ours and most_busy < _KERNELS / 4:
        raise SystemExit(f"Of {_KERNELS} kernels it saw {most_busy} busy.")


def _session(server: Server, kernel: str, number: int) -> None:
    body: dict[str, Any] = {
        "path": f"{number}.ipynb",
        "name": "",
        "type": "notebook",
        "kernel": {"name": kernel},
    }
    status, answer = server.request("POST", "api/sessions", body)
    if status != 201:
        raise SystemExit(f"No kernel: {answer}")


def _report(server: Server) -> None:
    status, answer = server.request("POST", "api/mlinfn/idle/page", _PAGE)
    if status != 204:
        raise SystemExit(f"The page's report: {answer}")


def _processor(server: Server) -> float:
    """Seconds, by the clock that Linux keeps of the process, in ns: clock_getcpuclockid(3)."""
    return time.clock_gettime((~server.process.pid << 3) | 2)


def _marker(server: Server) -> str:
    """What processes of the server bear; empty without our extension."""
    (kernel, *_) = psutil.Process(server.process.pid).children()
    return kernel.environ().get(VARIABLE, "")


@contextmanager
def _sleepers(number: int, marker: str) -> Iterator[None]:
    """Processes that do nothing, and are not the server's children: as what it has left over."""
    environment = {"PATH": os.defpath, VARIABLE: marker}
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(_sleeper(environment))
        yield


@contextmanager
def _sleeper(environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(["/bin/sleep", "600"], env=environment, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()
