"""What does one look at the GPU in a terminal cost? With nvitop as a witness."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from jupyter_mlinfn.demo.driver import SimulatedDriver, full_gpu

from .report import NOT_PRESENT, Section

_GIB = 1024**3
_REFRESHES = 20
_OURS = "from jupyter_mlinfn.cli import main; main()"
_NVITOP = "nvitop --once"
_ONE_LOOK = """
import json, time
from nvitop import Device

def look():
    start = time.process_time()
    for device in Device.all():
        device.as_snapshot()
        device.processes()
    return time.process_time() - start

look()
print(json.dumps([look() for _ in range(%d)]))
"""


def measure(folder: Path, looks: int) -> Section:
    """Both commands in turn, as a user starts them; of nvitop a refresh of its screen too."""
    driver = SimulatedDriver(folder)
    driver.write(full_gpu({os.getpid(): 3 * _GIB}))
    commands = {"jupyter mlinfn gpu": [sys.executable, "-c", _OURS, "gpu", "--processes"]}
    if find_spec("nvitop"):
        commands[_NVITOP] = [sys.executable, "-m", "nvitop", "--once"]
    used: dict[str, list[float]] = {}
    calls: dict[str, float] = {}
    for _ in range(looks):
        for name, command in commands.items():
            before = driver.calls().total()
            used.setdefault(name, []).append(_processor(command, driver))
            calls[name] = driver.calls().total() - before
    rows = [[name, _milliseconds(used[name]), f"{calls[name]:.0f}", f"{looks}"] for name in commands]
    if _NVITOP in commands:
        code = [sys.executable, "-c", _ONE_LOOK % _REFRESHES]
        before = driver.calls().total()
        refreshes = json.loads(subprocess.run(code, env=_environment(driver), stdout=subprocess.PIPE).stdout)
        each = (driver.calls().total() - before) / (_REFRESHES + 1)
        rows.append(["a refresh of nvitop", _milliseconds(refreshes), f"{each:.0f}", f"{_REFRESHES}"])
    else:
        rows.append([_NVITOP, NOT_PRESENT, "", ""])
    return Section(
        "A look at the GPU in a terminal",
        "Processor time, median (least – most), and calls of NVML; the same simulated A100 for both.",
        ["", "processor", "NVML", "n"],
        rows,
    )


def _processor(command: Sequence[str], driver: SimulatedDriver) -> float:
    """Seconds that the command used."""
    process = subprocess.Popen(
        command,
        env=_environment(driver),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _environment(driver: SimulatedDriver) -> dict[str, str]:
    return os.environ | driver.environment()


def _milliseconds(values: Sequence[float]) -> str:
    low, middle, high = (value * 1000 for value in (min(values), statistics.median(values), max(values)))
    return f"{middle:.1f} ms ({low:.1f} – {high:.1f})"
