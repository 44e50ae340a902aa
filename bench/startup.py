"""How much later does Jupyter Server answer because of this extension?

From the start of the process to the first answer, with and without it in turn, every other extension
being the same. Processor time is told too: it is steadier than the clock on a machine with company.

Python's garbage collector looks through everything when enough has been allocated, 0.1 s each time
in a server of this size. With whom in the room it happens before the first answer is chance, so the
same is measured with the collector off in both.
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
_MAIN = "from jupyter_server.serverapp import main; main()"
_NO_COLLECTOR = f"import gc; gc.disable(); {_MAIN}"
_TIMEOUT = 60


def measure(scratch: Path, rounds: int) -> Section:
    """The table; the first round, which fills caches, is not counted."""
    usual, collected = _Times(), _Times()
    platform = Platform(scratch / "startup", ["https://channel.invalid"])
    platform.write_config()
    for number in range(-1, rounds):
        if number % 5 == 0:
            say(f"start-up, round {number + 1} of {rounds}")
        for times, code in ((usual, _MAIN), (collected, _NO_COLLECTOR)):
            for name in (WITH, WITHOUT) if number % 2 else (WITHOUT, WITH):
                took, processor = _start(platform, code, enabled=name == WITH)
                if number >= 0:
                    times.clock[name].append(took)
                    times.used[name].append(processor)
    shutil.rmtree(platform.folder)
    rows = [
        [name + suffix, *cells, f"{rounds}"]
        for times, suffix in ((usual, ""), (collected, ", collector off"))
        for name, *cells in times.rows()
    ]
    return Section(
        "Server start-up",
        "Seconds from the start of `jupyter server` to its first answer; “added” is the median of the pairs.",
        ["", "clock", "processor", "n"],
        rows,
        [
            below("Start-up at most 3 % more on the clock", _added(usual.clock) * 100, 3, " %"),
        ],
    )


class _Times:
    """Seconds of each start, on the clock and of the processor."""

    def __init__(self) -> None:
        self.clock: dict[str, list[float]] = {WITH: [], WITHOUT: []}
        self.used: dict[str, list[float]] = {WITH: [], WITHOUT: []}

    def rows(self) -> list[tuple[str, str, str]]:
        rows = [(name, seconds(self.clock[name]), seconds(self.used[name])) for name in self.clock]
        return [*rows, ("added", f"{_added(self.clock):+.1%}", f"{_added(self.used):+.1%}")]


def _added(times: dict[str, list[float]]) -> float:
    """Of each round's pair: what the machine does to one it mostly does to its neighbour."""
    return statistics.median(a / b - 1 for a, b in zip(times[WITH], times[WITHOUT], strict=True))


def _start(platform: Platform, code: str, *, enabled: bool) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-c", code, "--no-browser", "--allow-root", "--ip=127.0.0.1"),
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
