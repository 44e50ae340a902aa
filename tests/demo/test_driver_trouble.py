"""The simulated driver on its bad days: it fails, hangs, is restarted, goes and comes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import (
    Code,
    Driver,
    Fault,
    SimulatedDriver,
    a100_mig,
)
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, A100_UUID
from tests.support.gpu import FIRST_PID, MIB
from tests.support.nvml_client import Client

from ..support.patience import PATIENCE, wait_for


@pytest.mark.parametrize("code", [Code.DRIVER_NOT_LOADED, Code.LIB_RM_VERSION_MISMATCH, Code.NO_PERMISSION])
def test_initialising_fails(code: Code, new_client: Callable[..., Client], driver: SimulatedDriver) -> None:
    client = new_client()
    driver.write(replace(a100_mig(), faults=[Fault("nvmlInit", code)]))
    assert client("nvmlInit()") == {"code": code}
    assert client("nvmlDeviceGetCount()") == {"code": Code.UNINITIALIZED}
    driver.write(a100_mig())
    assert client("nvmlInit()") is None
    assert client("nvmlDeviceGetCount()") == 1


def test_faults(ask: Client, driver: SimulatedDriver) -> None:
    on_the_slice = Fault("nvmlDeviceGetName", Code.UNKNOWN, device=A100_SLICE_UUID)
    third_call = Fault("nvmlDeviceGetMemoryInfo", Code.TIMEOUT, first_call=3)
    newer_form = Fault("nvmlDeviceGetUUID_v9", Code.UNKNOWN)
    driver.write(replace(a100_mig(), faults=[on_the_slice, third_call, newer_form]))
    assert ask("nvmlDeviceGetName(mine())") == {"code": Code.UNKNOWN}
    assert ask("nvmlDeviceGetName(board())") == "NVIDIA A100-PCIE-40GB"
    assert ask("nvmlDeviceGetUUID(board())") == A100_UUID
    # Without its version a name means all versions.
    readings = ("used(mine())", "nvmlDeviceGetMemoryInfo(mine()).used", "used(mine())", "used(mine())")
    assert [ask(reading) for reading in readings] == [13 * MIB] * 2 + [{"code": Code.TIMEOUT}] * 2


@pytest.mark.parametrize("code", [Code.GPU_IS_LOST, Code.RESET_REQUIRED])
def test_a_board_out_of_order(code: Code, ask: Client, driver: SimulatedDriver) -> None:
    ask("handles := [board(), mine()]")
    board = a100_mig().boards[0]
    driver.write(Driver(boards=[replace(board, status=code)]))
    for failing in ("used(handles[1])", "nvmlDeviceGetTemperature(handles[0], 0)", "board()", "mine()"):
        assert ask(failing) == {"code": code}
    assert ask("nvmlDeviceGetCount()") == 1
    assert ask("nvmlSystemGetDriverVersion()") == "570.86.15"


def test_a_mig_instance_is_destroyed(ask: Client, driver: SimulatedDriver) -> None:
    ask("handle := mine()")
    board = a100_mig().boards[0]
    driver.write(Driver(boards=[replace(board, migs=(), mig=True)]))
    assert ask("used(handle)") == {"code": Code.INVALID_ARGUMENT}
    assert ask("mine()") == {"code": Code.NOT_FOUND}
    assert ask("nvmlDeviceGetMigMode(board())") == [1, 1]


def test_the_driver_is_restarted(ask: Client, driver: SimulatedDriver) -> None:
    ask("handle := mine()")
    driver.restart()
    assert ask("used(handle)") == {"code": Code.UNINITIALIZED}
    assert ask("nvmlDeviceGetCount()") == {"code": Code.UNINITIALIZED}
    assert ask("nvmlInit()") is None
    assert ask("used(handle)") == {"code": Code.INVALID_ARGUMENT}
    assert ask("used(mine())") == 13 * MIB
    assert ask("nvmlShutdown()") is None
    assert ask("nvmlShutdown()") == {"code": Code.UNINITIALIZED}


def test_the_driver_goes_and_comes(ask: Client, driver: SimulatedDriver) -> None:
    driver.unload()
    assert ask("nvmlDeviceGetCount()") == {"code": Code.DRIVER_NOT_LOADED}
    driver.write(a100_mig())
    assert ask("used(mine())") == 13 * MIB


def test_the_library_comes_while_a_process_runs(
    new_client: Callable[..., Client], driver: SimulatedDriver
) -> None:
    driver.remove_library()
    client = new_client(fresh=True)
    assert client("nvmlInit()") == {"code": 12}
    driver.install_library()
    assert client("nvmlInit()") is None
    driver.remove_library()
    assert client("used(mine())") == 13 * MIB


def test_a_call_takes_its_time(ask: Client, driver: SimulatedDriver) -> None:
    driver.write(replace(a100_mig(), hangs={"nvmlDeviceGetMemoryInfo_v2": 0.3}))
    began = time.monotonic()
    assert ask("used(mine())") == 13 * MIB
    # No machine is too slow for this.
    assert time.monotonic() - began >= 0.3
    assert ask("nvmlDeviceGetMemoryInfo(mine()).used") == 13 * MIB


@pytest.mark.parametrize("code", [Code.SUCCESS, Code.UNKNOWN])
def test_a_call_hangs_until_it_is_released(
    code: Code, new_client: Callable[..., Client], driver: SimulatedDriver
) -> None:
    one, other = new_client(), new_client()
    for client in (one, other):
        client("nvmlInit()")
    driver.hang("nvmlDeviceGetMemoryInfo", code=code)
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(one("used(mine())")))
    waiting.start()
    wait_for(lambda: driver.calls()["nvmlDeviceGetMemoryInfo_v2"])
    assert other("nvmlDeviceGetName(mine())").endswith("1g.5gb")
    assert waiting.is_alive()
    driver.release()
    waiting.join(PATIENCE)
    assert answers == [13 * MIB if code == Code.SUCCESS else {"code": code}]
    assert one("used(mine())") == 13 * MIB
    assert driver.driver is not None
    assert driver.driver.hangs == {}


def test_a_hanging_process_can_be_killed(new_client: Callable[..., Client], driver: SimulatedDriver) -> None:
    driver.write(replace(a100_mig(), hangs={"*": math.inf}))
    client = new_client()

    def ask() -> None:
        with pytest.raises(AssertionError, match="the process ended"):
            client("nvmlInit()")

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_for(lambda: driver.calls()["nvmlInitWithFlags"])
    client.close()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_calls_are_counted_over_threads_and_processes(
    new_client: Callable[..., Client], driver: SimulatedDriver
) -> None:
    assert not driver.calls()
    clients = [new_client(), new_client()]
    for client in clients:
        client("nvmlInit()")
    both = [threading.Thread(target=client, args=("many(4, 250)",)) for client in clients]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert driver.calls() == {
        "nvmlInitWithFlags": 2,
        "nvmlDeviceGetHandleByUUID": 2000,
        "nvmlDeviceGetMemoryInfo_v2": 2000,
    }


def test_the_state_may_change_under_many_threads(ask: Client, driver: SimulatedDriver) -> None:
    def rewrite() -> None:
        for number in range(100):
            driver.write(a100_mig({FIRST_PID: number}, others="readable"))

    rewriting = threading.Thread(target=rewrite)
    rewriting.start()
    rounds = 0
    while rewriting.is_alive() or rounds == 0:
        assert ask("many(4, 25)") is None
        rounds += 1
    assert ask("used(mine())") == 13 * MIB + 99
    assert driver.calls()["nvmlDeviceGetMemoryInfo_v2"] == rounds * 100 + 1
