"""The simulated driver through `nvitop` as it is: it tells what the scenario says, and only that.

nvitop looks for MIG instances slot by slot and stops at the first empty one, so it is asked by slot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import Board, Mig, Process, SimulatedDriver, a100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID
from tests.support.gpu import FINE, GIB, MIB, Scenario, played
from tests.support.gpu_process import run_python

NVITOP = """
import json, sys
from nvitop import MigDevice, PhysicalDevice, NA
def plain(value): return None if value is NA else value
found = {}
for index in json.loads(sys.argv[1]):
    device = MigDevice(index=tuple(index)) if isinstance(index, list) else PhysicalDevice(index=index)
    board = device.parent if device.is_mig_device() else device
    found[device.uuid()] = {
        "name": plain(device.name()),
        "total": plain(device.memory_total()), "used": plain(device.memory_used()),
        "utilization": plain(device.gpu_utilization()), "temperature": plain(board.temperature()),
        "power": plain(board.power_usage()), "power_limit": plain(board.power_limit()),
        "sm_clock": plain(board.sm_clock()), "memory_clock": plain(board.memory_clock()),
        "ecc_errors": plain(board.total_volatile_uncorrected_ecc_errors()),
        "processes": {pid: plain(process.gpu_memory()) for pid, process in device.processes().items()},
    }
print(json.dumps(found))
"""


def _told(simulated: SimulatedDriver, indices: Sequence[int | tuple[int, int]]) -> Any:
    """What nvitop tells of devices, by UUID."""
    return json.loads(run_python(simulated, NVITOP, json.dumps(indices)))


@pytest.mark.parametrize(
    "scenario", [one for one in FINE if one.driver is not None], ids=lambda scenario: scenario.name
)
def test_nvitop_tells_what_the_scenario_says(scenario: Scenario, tmp_path: Path) -> None:
    assert scenario.driver is not None
    wanted: list[tuple[Board, Board | Mig]] = [
        (board, device)
        for board in scenario.driver.boards
        for device in (board.migs or (board,))
        if device.access != "hidden"
    ]
    assert wanted
    with played(scenario, tmp_path / "driver") as simulated:
        boards = list(scenario.driver.boards)
        told = _told(
            simulated,
            [
                (boards.index(board), device.slot) if isinstance(device, Mig) else boards.index(board)
                for board, device in wanted
            ],
        )
    for board, device in wanted:
        figures = told[device.uuid]
        assert figures["temperature"] == board.temperature
        assert figures["power"] == board.power
        assert figures["power_limit"] == board.power_limit
        assert figures["sm_clock"] == board.sm_clock
        assert figures["memory_clock"] == board.memory_clock
        assert figures["ecc_errors"] == board.ecc_errors
        assert figures["utilization"] == (board.utilization if device is board else None)
        if device.access == "listed":
            assert (figures["total"], figures["used"]) == (None, None)
        else:
            assert figures["total"] == device.memory_total
            assert figures["used"] == device.memory_used + _held(device.processes)


def test_nvitop_lists_processes_that_live(tmp_path: Path) -> None:
    driver = SimulatedDriver(tmp_path)
    driver.write(a100_mig({os.getpid(): 3 * GIB}, real=True))
    told = _told(driver, [(0, 3)])[A100_SLICE_UUID]
    assert told["name"] == "NVIDIA A100-PCIE-40GB MIG 1g.5gb"
    assert told["used"] == 3 * GIB + 13 * MIB
    assert told["processes"] == {str(os.getpid()): 3 * GIB}


def _held(processes: Any) -> int:
    """Each process once, with the most that it is listed with."""
    most: dict[int, int] = {}
    for process in processes:
        assert isinstance(process, Process)
        most[process.pid] = max(most.get(process.pid, 0), process.memory or 0)
    return sum(most.values())
