"""How much later does Jupyter Server answer because of this extension?

From the start of the process to the first answer, with and without it in turn, every other extension
being the same. Processor time is told too: it is steadier than the clock on a machine with company.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.server import Platform

from .report import Section, below, say, seconds

WITH, WITHOUT = "with jupyter-mlinfn", "without it"
_TIMEOUT = 60


def measure(scratch: Path, rounds: int) -> Section:
    """The table; the first round, which fills caches, is not counted."""
    clock: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    used: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    platform = Platform(scratch / "startup", ["https://channel.invalid"])
    platform.write_config()
    for number in range(-1, rounds):
        if number % 5 == 0:
            say(f"start-up, round {number + 1} of {rounds}")
        for name in (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH):
            took, processor = _start(platform, enabled=name == WITH)
            if number >= 0:
                clock[name].append(took)
                used[name].append(processor)
    shutil.rmtree(platform.folder)
    more, more_used = _added(clock), _added(used)
    rows = [[name, seconds(clock[name]), seconds(used[name]), f"{rounds}"] for name in clock]
    rows.append(["added", f"{more:+.1%}", f"{more_used:+.1%}", f"{rounds}"])
    return Section(
        "Server start-up",
        "Seconds from the start of `jupyter server` to its first answer; “added” is the median of the pairs.",
        ["", "clock", "processor", "n"],
        rows,
        [below("At most 3 % more on the clock", more * 100, 3, " %")],
    )


def _added(times: dict[str, list[float]]) -> float:
    """Of each round's pair: what the machine does to one it mostly does to its neighbour."""
    return statistics.median(a / b - 1 for a, b in zip(times[WITH], times[WITHOUT], strict=True))


def _start(platform: Platform, *, enabled: bool) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={platform.root}"),
        *("--IdentityProvider.token=", f"--ServerApp.jpserver_extensions={{'jupyter_mlinfn': {enabled}}}"),
    ]
    start = time.perf_counter()
    # As installed: byte code is there. The first round writes it, for both, to a place of its own.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(platform.folder / "pyc")}
    process = subprocess.Popen(
        command,
        env=platform.variables() | compiled,
        cwd=platform.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            _wait_until_it_listens(process, port, start + _TIMEOUT)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=_TIMEOUT) as answer:
                answer.read()
            took = time.perf_counter() - start
            stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        finally:
            process.kill()
    return took, (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, end: float) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None or time.perf_counter() > end:
                raise
            time.sleep(0.004)
