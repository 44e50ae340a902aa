"""What is read from the driver on the way to a view: names, folders of mounts, counters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlinfn.demo.driver import Driver, Fault, SimulatedDriver, a100_mig, h100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID
from jupyter_mlinfn.gpu.nvml import Attributes, Code
from jupyter_mlinfn.gpu.reader import profile_name

from ..support.gpu import FIRST_PID, MINE
from ..support.gpu_process import run_python

MIB = 1024**2


@pytest.mark.parametrize(
    ("memory", "gpu_slices", "compute_slices", "name"),
    [
        (4864, 1, 1, "1g.5gb"),
        (9984, 2, 2, "2g.10gb"),
        (20096, 3, 3, "3g.20gb"),
        (20096, 3, 1, "1c.3g.20gb"),
        (40536, 7, 7, "7g.40gb"),
        (9856, 1, 1, "1g.10gb"),
    ],
)
def test_a_profile_is_named_as_nvidia_smi_names_it(
    memory: int, gpu_slices: int, compute_slices: int, name: str
) -> None:
    assert profile_name(Attributes(14, gpu_slices, compute_slices, memory * MIB)) == name


def test_an_unknown_code_is_kept_as_a_number() -> None:
    assert Code.of(15) is Code.GPU_IS_LOST
    assert Code.of(23) is Code.OTHER


@pytest.mark.parametrize("code", [Code.NO_PERMISSION, Code.INVALID_ARGUMENT, Code.NOT_SUPPORTED])
def test_who_computes_is_listed_where_the_driver_does_not_speak_of_graphics(
    code: Code, tmp_path: Path
) -> None:
    simulated = SimulatedDriver(tmp_path)
    refused = Fault("nvmlDeviceGetGraphicsRunningProcesses", code.value)
    simulated.write(replace(a100_mig({FIRST_PID: MIB}), faults=[refused]))
    script = """
from jupyter_mlinfn.gpu.inquiry import Inquiry
from jupyter_mlinfn.gpu.nvml import Nvml
from jupyter_mlinfn.gpu.watchdog import Watchdog
inquiry = Inquiry(Nvml(Watchdog()))
seen = inquiry.slow(inquiry.quick(utilisation=False))
print(seen.state.kind, *[(each.pid, each.memory) for each in seen.listed])
"""
    assert run_python(simulated, script, variables=MINE).strip() == f"fine ({FIRST_PID}, {MIB})"


MOUNTED = """
import sys
from pathlib import Path
from jupyter_mlinfn.gpu.inquiry import Inquiry
from jupyter_mlinfn.gpu.nvml import Nvml
from jupyter_mlinfn.gpu.watchdog import Watchdog
folder = Path(sys.argv[1])
variables = {"NVIDIA_VISIBLE_DEVICES": str(folder)}
seen = Inquiry(Nvml(Watchdog()), variables, mounts=folder).quick(utilisation=False)
print(seen.state.kind, seen.selection.source, *[device.uuid for device in seen.selection.devices])
"""


@pytest.mark.parametrize("entry", [A100_SLICE_UUID, f"cdi/nvidia.com/gpu/{A100_SLICE_UUID}"])
def test_devices_are_found_in_the_folder_of_mounts(entry: str, tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path / "driver")
    simulated.write(a100_mig(others="readable"))
    mount = tmp_path / "mounts" / entry
    mount.parent.mkdir(parents=True)
    mount.touch()

    said = run_python(simulated, MOUNTED, str(tmp_path / "mounts")).split()

    assert said == ["fine", "NVIDIA_VISIBLE_DEVICES", A100_SLICE_UUID]


def by_our_clock(driver: Driver) -> Driver:
    """Its counters give a figure however soon they are read again."""
    return replace(driver, boards=[replace(board, gpm_apart=0) for board in driver.boards])


COUNTED = """
from tests.support.clock import Clock
from jupyter_mlinfn.gpu.nvml import Nvml
from jupyter_mlinfn.gpu.reader import Reader
from jupyter_mlinfn.gpu.watchdog import Watchdog
nvml = Nvml(Watchdog())
nvml.open()
clock = Clock()
reader = Reader(nvml, clock)
(device,) = reader.look().devices
print(*reader.utilisation(device), sep=": ")
print(*reader.utilisation(device), sep=": ")
clock.pass_time(0.2)
print(*reader.utilisation(device))
print(*reader.utilisation(device))
reader.forget()
nvml.close()
"""


def test_counters_are_read_at_their_distance_and_given_back(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path)
    simulated.write(by_our_clock(h100_mig(utilization=42)))

    lines = run_python(simulated, COUNTED).splitlines()

    assert lines[:2] == ["None: being measured", "None: being measured"]
    assert [line.strip() for line in lines[2:]] == ["42.0", "42.0"]
    calls = simulated.calls()
    assert calls["nvmlGpmMigSampleGet"] == 2
    assert calls["nvmlGpmSampleAlloc"] == calls["nvmlGpmSampleFree"] == 2


def test_counters_without_room_are_given_back_and_are_no_trouble(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path)
    no_room = Fault("nvmlGpmSampleAlloc", 20, first_call=2)
    simulated.write(replace(by_our_clock(h100_mig(utilization=42)), faults=[no_room]))

    lines = run_python(simulated, COUNTED).splitlines()

    assert set(lines[:2]) == {"None: not reported by the driver for this MIG instance"}
    calls = simulated.calls()
    assert calls["nvmlGpmSampleAlloc"] == 2
    assert calls["nvmlGpmSampleFree"] == 1
