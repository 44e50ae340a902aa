"""The view agrees with nvidia-ml-py and with nvitop, figure by figure, wherever both report one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import Process, SimulatedDriver, a100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID

from ..support import command
from ..support.gpu import GIB, MIB, MINE, SCENARIOS, Scenario, environment_of, played
from ..support.gpu_looker import looking
from ..support.gpu_process import run_python

READABLE = {
    name: scenario
    for name, scenario in SCENARIOS.items()
    if scenario.kind in ("fine", "memory_low") or scenario.partial
}


@pytest.mark.parametrize("scenario", READABLE.values(), ids=READABLE)
def test_every_figure_is_that_of_the_witnesses(scenario: Scenario, tmp_path: Path) -> None:
    with played(scenario, tmp_path) as simulated, looking(simulated, scenario.environment) as looker:
        if scenario.then is not None:
            looker.look()
            simulated.write(scenario.then)
        view = looker.look()["view"]
        # Of one that fails nobody tells anything.
        devices = [each for each in view["devices"] if each["memory_used"] is not None]
        witness = ask_witness(simulated, scenario.environment, [each["uuid"] for each in devices])

    assert devices
    assert scenario.partial or len(devices) == len(view["devices"])
    assert view["driver"] == {"version": witness["driver"], "cuda": witness["cuda"]}
    assert view["driver"] == {"version": witness["nvitop_driver"], "cuda": witness["nvitop_cuda"]}
    for device in devices:
        ours = flat(device)
        theirs = witness["devices"][device["uuid"]]
        assert {"memory_total", "memory_used", "memory_free"} <= set(theirs["nvitop"])
        assert {name: ours[name] for name in theirs["nvml"]} == theirs["nvml"]
        assert {name: ours[name] for name in theirs["nvitop"]} == theirs["nvitop"]


def test_processes_are_those_of_the_witness_each_once(tmp_path: Path) -> None:
    # Ours, so that they are shown; listed twice, as drivers do at times.
    pid, parent = os.getpid(), os.getppid()
    driver = a100_mig()
    listed = [Process(pid, 2 * GIB), Process(parent, 512 * MIB), Process(pid, 1 * GIB)]
    board = driver.boards[0]
    migs = [replace(mig, processes=listed) if mig.uuid == A100_SLICE_UUID else mig for mig in board.migs]
    scenario = Scenario("", "", "fine", replace(driver, boards=[replace(board, migs=migs)]))
    with played(scenario, tmp_path) as simulated, looking(simulated, MINE) as looker:
        shown = looker.look()["view"]["processes"]["list"]
        told = json.loads(run_python(simulated, PROCESSES, A100_SLICE_UUID, variables=MINE))

    assert {(each["pid"], each["memory"]) for each in shown} == {(pid, 2 * GIB), (parent, 512 * MIB)}
    largest: dict[int, int] = {}
    for number, memory in told:
        largest[number] = max(memory, largest.get(number, 0))
    assert {each["pid"]: each["memory"] for each in shown} == largest


PROCESSES = """
import json, sys
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByUUID(sys.argv[1])
listed = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
print(json.dumps([(each.pid, each.usedGpuMemory) for each in listed]))
"""


def flat(device: Mapping[str, Any]) -> dict[str, Any]:
    board = {f"board.{name}": figure for name, figure in device["board"].items()}
    return {name: figure for name, figure in device.items() if name != "board"} | board


def ask_witness(simulated: SimulatedDriver, variables: Mapping[str, str], uuids: list[str]) -> dict[str, Any]:
    done = command.run(*uuids, env=environment_of(simulated, variables), module="tests.support.gpu_witness")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
