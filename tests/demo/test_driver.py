"""What the simulated driver tells, through `nvidia-ml-py` as it is, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import (
    Board,
    Code,
    Driver,
    Process,
    SimulatedDriver,
    a100_mig,
    full_gpu,
    h100_mig,
)
from jupyter_mlinfn.demo.driver.build import OPTIONS, SOURCE, built_library, compiler
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, A100_UUID, H100_SLICE_UUID
from jupyter_mlinfn.errors import DependencyError
from tests.support.gpu import FIRST_PID, GIB, MIB, environment_of
from tests.support.gpu_process import run_python
from tests.support.nvml_client import Client
from tests.support.patience import wait_for


def test_the_source_compiles_without_a_warning(tmp_path: Path) -> None:
    command = compiler()
    assert command is not None
    done = subprocess.run(
        [*command, *OPTIONS, "-Wshadow", *SOURCE.glob("*.c"), "-o", tmp_path / "library.so"],
        env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(tmp_path), "ZIG_LOCAL_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built_library() == built_library()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    assert compiler() is None
    with pytest.raises(DependencyError, match="or ziglang with pip"):
        built_library(tmp_path)


def test_it_can_be_told_from_a_driver(driver: SimulatedDriver) -> None:
    code = (
        "import ctypes; library = ctypes.CDLL('libnvidia-ml.so.1');"
        "print(ctypes.c_int.in_dll(library, 'mlinfn_simulated_driver').value)"
    )
    assert run_python(driver, code).strip() == "1"


def test_versions(ask: Client) -> None:
    assert ask("nvmlSystemGetDriverVersion()") == "570.86.15"
    assert ask("nvmlSystemGetNVMLVersion()") == "12.570.86.15"
    assert ask("nvmlSystemGetCudaDriverVersion_v2()") == 12080
    assert ask("nvmlErrorString(18)") == "RM has detected an NVML/RM version mismatch"


def test_an_unprivileged_container_under_mig(ask: Client) -> None:
    assert ask("nvmlDeviceGetCount()") == 1
    assert ask("nvmlDeviceGetName(board())") == "NVIDIA A100-PCIE-40GB"
    assert ask("nvmlDeviceGetMigMode(board())") == [1, 1]
    for refused in ("used(board())", "nvmlDeviceGetMemoryInfo(board()).used", "rows(board())"):
        assert ask(refused) == {"code": Code.NO_PERMISSION}
    assert ask("nvmlDeviceGetUtilizationRates(board()).gpu") == {"code": Code.NOT_SUPPORTED}
    assert ask("nvmlDeviceGetTemperature(board(), 0)") == 38
    assert ask("nvmlDeviceGetTemperatureV(board(), 0)") == 38
    assert ask("nvmlDeviceGetPowerUsage(board())") == 61_000
    assert ask("nvmlDeviceGetEnforcedPowerLimit(board())") == 250_000
    assert ask("nvmlDeviceGetClockInfo(board(), NVML_CLOCK_SM)") == 1410
    assert ask("nvmlDeviceGetClockInfo(board(), NVML_CLOCK_MEM)") == 1215
    assert ask("nvmlDeviceGetEccMode(board())") == [1, 1]
    assert ask("nvmlDeviceGetTotalEccErrors(board(), 1, 0)") == 0
    assert ask("nvmlDeviceGetPciInfo(board()).busId") == "00000000:3B:00.0"
    assert ask("nvmlDeviceGetUUID(nvmlDeviceGetHandleByPciBusId(b'00000000:3b:00.0'))") == A100_UUID


def test_slots_are_sparse(ask: Client) -> None:
    assert ask("nvmlDeviceGetMaxMigDeviceCount(board())") == 7
    found = [ask(f"nvmlDeviceGetUUID(nvmlDeviceGetMigDeviceHandleByIndex(board(), {n}))") for n in range(8)]
    missing = {"code": Code.NOT_FOUND}
    assert found == [*[missing] * 3, A100_SLICE_UUID, *[missing] * 3, {"code": Code.INVALID_ARGUMENT}]


def test_a_mig_instance(ask: Client, driver: SimulatedDriver) -> None:
    driver.write(a100_mig({FIRST_PID: 3 * GIB}))
    assert ask("nvmlDeviceGetName(mine())") == "NVIDIA A100-PCIE-40GB MIG 1g.5gb"
    assert ask("nvmlDeviceGetGpuInstanceId(mine())") == 11
    assert ask("nvmlDeviceGetComputeInstanceId(mine())") == 0
    assert ask("nvmlDeviceIsMigDeviceHandle(mine()).value") == 1
    assert ask("nvmlDeviceGetUUID(nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mine()))") == A100_UUID
    assert ask("nvmlDeviceGetAttributes(mine()).multiprocessorCount") == 14
    assert ask("nvmlDeviceGetAttributes(mine()).gpuInstanceSliceCount") == 1
    assert ask("nvmlDeviceGetMemoryInfo(mine()).total") == 4864 * MIB
    assert ask("used(mine())") == 3 * GIB + 13 * MIB
    assert ask("rows(mine())") == [[FIRST_PID, 3 * GIB, 11, 0]]
    assert ask("nvmlDeviceGetUtilizationRates(mine()).gpu") == {"code": Code.NOT_SUPPORTED}
    assert ask(f"nvmlDeviceGetHandleByUUID('{A100_SLICE_UUID[:12]}')") == {"code": Code.NOT_FOUND}


@pytest.mark.parametrize("others", ["hidden", "listed", "readable"])
def test_instances_of_others(others: Any, ask: Client, driver: SimulatedDriver) -> None:
    driver.write(a100_mig({FIRST_PID: GIB}, others=others))
    answer = ask("used(nvmlDeviceGetMigDeviceHandleByIndex(board(), 0))")
    expected = {"hidden": {"code": Code.NOT_FOUND}, "listed": {"code": Code.NO_PERMISSION}}
    assert answer == expected.get(others, 13 * MIB)
    if others == "readable":
        assert ask("used(board())") == GIB + 7 * 13 * MIB
        assert ask("rows(board())") == [[FIRST_PID, GIB, 11, 0]]


def test_a_whole_gpu(ask: Client, driver: SimulatedDriver) -> None:
    driver.write(full_gpu({FIRST_PID: 9 * GIB}))
    assert ask("nvmlDeviceGetMigMode(board())") == [0, 0]
    assert ask("nvmlDeviceGetUtilizationRates(board()).gpu") == 37
    assert ask("used(board())") == 9 * GIB + 3 * MIB
    assert ask("nvmlDeviceGetMemoryInfo(board(), nvmlMemory_v2).reserved") == 424 * MIB
    assert ask("nvmlDeviceGetMemoryInfo(board()).used") == 9 * GIB + 427 * MIB
    assert ask("nvmlDeviceGetMemoryInfo(board(), 0x02000030).used") == {"code": 25}
    assert ask("rows(board())") == [[FIRST_PID, 9 * GIB, 0xFFFFFFFF, 0xFFFFFFFF]]


def test_how_a_board_is_connected(ask: Client, driver: SimulatedDriver) -> None:
    driver.write(full_gpu())
    assert ask("nvmlDeviceGetMaxPcieLinkGeneration(board())") == 4
    assert ask("nvmlDeviceGetMaxPcieLinkWidth(board())") == 16
    assert ask("nvmlDeviceGetPcieThroughput(board(), NVML_PCIE_UTIL_TX_BYTES)") == 0
    assert ask("nvmlDeviceGetNvLinkVersion(board(), 0)") == {"code": Code.NOT_SUPPORTED}


def test_what_is_not_reported_is_not_supported(ask: Client, driver: SimulatedDriver) -> None:
    driver.write(Driver(boards=[Board("GPU-1", "Plain", GIB, power=None, ecc=None, mig_capable=False)]))
    for silent in (
        "nvmlDeviceGetPowerUsage(board())",
        "nvmlDeviceGetEccMode(board())",
        "nvmlDeviceGetTotalEccErrors(board(), 1, 0)",
        "nvmlDeviceGetMigMode(board())",
        "nvmlDeviceGetFanSpeed(board())",
    ):
        assert ask(silent) == {"code": Code.NOT_SUPPORTED}
    assert ask("nvmlDeviceGetGpcClkVfOffset(board())") == {"code": Code.FUNCTION_NOT_FOUND}


def test_processes(ask: Client, driver: SimulatedDriver) -> None:
    assert ask("count(mine())") == [0, 0]
    processes = [
        Process(FIRST_PID, 2 * GIB),
        Process(FIRST_PID, GIB),
        Process(FIRST_PID + 1, None),
        Process(FIRST_PID + 2, MIB, kind="graphics"),
    ]
    board = a100_mig().boards[0]
    migs = [replace(mig, processes=processes) if mig.slot == 3 else mig for mig in board.migs]
    driver.write(Driver(boards=[replace(board, migs=migs)]))
    assert ask("count(mine())") == [7, 3]
    assert [row[:2] for row in ask("rows(mine())")] == [
        [FIRST_PID, 2 * GIB],
        [FIRST_PID, GIB],
        [FIRST_PID + 1, None],
    ]
    assert [row[0] for row in ask("rows(mine(), 'Graphics')")] == [FIRST_PID + 2]
    assert ask("rows(mine(), 'MPSCompute')") == []
    # A duplicate takes no memory of its own.
    assert ask("used(mine())") == 2 * GIB + 14 * MIB


def test_a_real_process_gives_its_memory_back_when_it_exits(ask: Client, driver: SimulatedDriver) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        driver.write(a100_mig({process.pid: 2 * GIB}, real=True))
        assert ask("used(mine())") == 2 * GIB + 13 * MIB
        process.kill()
        # Not reaped yet, it is a zombie: to a driver it is gone.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ask("used(mine())") == 13 * MIB
        assert ask("rows(mine())") == []


def test_holding_memory(ask: Client, driver: SimulatedDriver) -> None:
    # As the package `mlinfn-gpu` of the demo's channel: with nothing but the standard library.
    code = """
import runpy, sys, os
hold = runpy.run_path(sys.argv[1])["hold"]
kept, given = hold(gib=3), hold(size=1 << 30)
try:
    hold(gib=1)
except MemoryError as error:
    print(error)
given.release()
print(repr(kept), repr(given), flush=True)
input()
os._exit(1)
"""
    path = SOURCE.with_name("hold.py")
    with subprocess.Popen(
        [sys.executable, "-I", "-c", code, str(path)],
        env=environment_of(driver, {"NVIDIA_VISIBLE_DEVICES": A100_SLICE_UUID}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == ("1.00 GiB are wanted, 0.74 GiB of the simulated GPU are free.\n")
        assert "3.00 GiB of the simulated GPU, held" in process.stdout.readline()
        assert ask("rows(mine())") == [[process.pid, 3 * GIB, 11, 0]]
        assert ask("used(mine())") == 3 * GIB + 13 * MIB
        process.communicate("\n")
    assert ask("used(mine())") == 13 * MIB


def test_holding_memory_where_there_is_no_simulated_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlinfn.demo.driver.hold import hold

    monkeypatch.delenv("MLINFN_SIMULATED_DRIVER", raising=False)
    with pytest.raises(RuntimeError, match="no simulated GPU"):
        hold(gib=1)


def test_gpm_of_a_mig_instance(ask: Client, driver: SimulatedDriver) -> None:
    assert ask("nvmlGpmQueryDeviceSupport(board()).isSupportedDevice") == 0
    hopper = h100_mig()

    def write(**apart: int) -> None:
        driver.write(replace(hopper, boards=[replace(hopper.boards[0], **apart)]))

    write(gpm_apart=86_400_000)
    assert ask("nvmlGpmQueryDeviceSupport(board()).isSupportedDevice") == 1
    ask("samples := [nvmlGpmSampleAlloc(), nvmlGpmSampleAlloc()]")
    ask("asked := c_nvmlGpmMetricsGet_t(version=1, numMetrics=2, sample1=samples[0], sample2=samples[1])")
    ask("ids := [setattr(asked.metrics[i], 'metricId', n) for i, n in enumerate((2, 20))]")
    ask("taken := nvmlGpmMigSampleGet(board(), 9, samples[0])")
    ask("taken := nvmlGpmMigSampleGet(board(), 9, samples[1])")
    figures = "[[m.nvmlReturn, m.value] for m in nvmlGpmMetricsGet(asked).metrics[:2]]"
    assert ask(figures) == [[21, 0.0], [3, 0.0]]  # too short a time between them, and a figure that it lacks
    write(gpm_apart=0)
    assert ask(figures) == [[0, 42.0], [3, 0.0]]
    # As it is by itself: after a tenth of a second.
    write()
    ask("taken := nvmlGpmMigSampleGet(board(), 9, samples[0])")

    def later() -> bool:
        ask("taken := nvmlGpmMigSampleGet(board(), 9, samples[1])")
        return bool(ask(figures) == [[0, 42.0], [3, 0.0]])

    wait_for(later)
    assert ask("nvmlGpmMigSampleGet(board(), 4, samples[1])") == {"code": Code.INVALID_ARGUMENT}
    assert ask(f"nvmlDeviceGetName(nvmlDeviceGetHandleByUUID('{H100_SLICE_UUID}'))").endswith("MIG 1g.10gb")
