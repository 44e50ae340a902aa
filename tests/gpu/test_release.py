"""Giving GPU memory back: real kernels that hold memory of the simulated driver."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import Driver, SimulatedDriver, a100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID as SLICE
from jupyter_mlinfn.gpu.models import DriverProcess, GpuProcess, Owner, Processes
from jupyter_mlinfn.gpu.processes import ProcessMap
from jupyter_mlinfn.gpu.release import Released, kernels_of, release
from jupyter_mlinfn.programs import ServerPrograms
from tests.support.kernels import Ahead, Kernels, until
from tests.support.nvml_client import Client
from tests.support.small_kernel import kernelspec

from ..support.patience import PATIENCE

GIB = 2**30


class Gpu:
    """The simulated driver as the sampler sees it, asked in a process of its own."""

    def __init__(self, driver: SimulatedDriver, ask: Client, programs: ServerPrograms) -> None:
        self.driver = driver
        self.ask = ask
        self.programs = programs
        ask("nvmlInit()")

    async def used(self) -> Mapping[str, int | None]:
        await asyncio.sleep(0)  # Others have their turn, as at a real one.
        return {SLICE: self.ask("used(mine())")}

    async def processes(self) -> Processes:
        rows = self.ask("rows(mine())")
        return ProcessMap().resolve(
            [DriverProcess(pid, SLICE, memory) for pid, memory, *_ in rows],
            await self.programs.running(),
            driver_version="570.86.15",
            devices=(),
            used=await self.used(),
        )

    async def held(self) -> Mapping[str, int | None]:
        return kernels_of(await self.processes())

    def hold(self, pid_memory: dict[int, int | None]) -> Driver:
        """These real processes hold that much, until they end."""
        hardware = a100_mig(pid_memory, real=True)
        self.driver.write(hardware)
        return hardware


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    extensions = {"jupyter_mlinfn": True, "jupyter_server_terminals": True}
    return {"ServerApp": {"jpserver_extensions": extensions, "allow_unauthenticated_access": False}}


@pytest.fixture
def kernels(jp_serverapp: Any, jp_data_dir: Path) -> Kernels:
    """Of a kind that is started and shut as any, and runs nothing."""
    return Kernels(jp_serverapp, kernelspec(jp_data_dir / "kernels", busy_for=100_000))


@pytest.fixture
def gpu(jp_serverapp: Any, driver: SimulatedDriver) -> Iterator[Gpu]:
    ask = Client(driver)
    try:
        yield Gpu(driver, ask, ServerPrograms(jp_serverapp))
    finally:
        ask.close()


class Noting:
    """Programs of which is noted which were shut."""

    def __init__(self, programs: ServerPrograms) -> None:
        self._programs = programs
        self.running = programs.running
        self.shut: list[str] = []

    async def shut_down(self, kernel_id: str) -> None:
        await self._programs.shut_down(kernel_id)
        self.shut.append(kernel_id)


def patiently(*arguments: Any, **more: Any) -> Awaitable[Released]:
    """Nothing takes too long."""
    return release(*arguments, **{"shutdown_limit": PATIENCE, "measure_limit": PATIENCE, **more})


async def test_the_notebook_that_holds_memory_is_named_and_gives_it_back(gpu: Gpu, jp_serverapp: Any) -> None:
    kernels = Kernels(jp_serverapp)
    idle, train = await kernels.session("idle.ipynb"), await kernels.session("train.ipynb")
    gpu.hold({kernels.pid(train): 3 * GIB})
    processes = await gpu.processes()
    (row,) = processes.list
    assert (row.memory, row.owner.title, row.owner.id) == (3 * GIB, "train.ipynb", train)
    assert processes.other == 13 * 2**20
    done = await patiently(None, gpu.programs, held=gpu.held, used=gpu.used)
    assert done.to_json() == {"shut": [train], "failed": [], "freed_bytes": 3 * GIB, "freed_note": ""}
    assert kernels.here(idle)
    assert not kernels.here(train)


async def test_memory_that_comes_back_late_is_waited_for(gpu: Gpu, kernels: Kernels) -> None:
    kernel = await kernels.session("train.ipynb")
    held = _held(kernel)
    gpu.driver.write(a100_mig({999_999: 3 * GIB}))
    answers = 0

    async def used() -> Mapping[str, int | None]:
        nonlocal answers
        answers += 1
        # In two steps, some readings after the kernel has ended.
        if answers == 4:
            gpu.driver.write(a100_mig({999_999: GIB}))
        elif answers == 5:
            gpu.driver.write(a100_mig())
        return await gpu.used()

    done = await patiently([kernel], gpu.programs, held=held, used=used)
    assert (done.freed, done.note) == (3 * GIB, "")


async def test_chosen_kernels_only_and_what_holds_nothing_is_not_waited_for(
    gpu: Gpu, kernels: Kernels
) -> None:
    idle, train = await kernels.session("idle.ipynb"), await kernels.bare()
    gpu.hold({kernels.pid(train): 3 * GIB})
    ahead, readings = Ahead(asyncio.get_running_loop()), 0

    async def used() -> Mapping[str, int | None]:
        nonlocal readings
        readings += 1
        ahead.pass_time(1)
        return await gpu.used()

    done = await patiently([idle, idle], gpu.programs, held=gpu.held, used=used)
    assert (done.shut, done.failed, done.freed) == ([idle], (), 0)
    assert readings < 6
    assert kernels.here(train)


async def test_what_is_no_kernel_of_this_server_is_named_and_left_alone(gpu: Gpu, kernels: Kernels) -> None:
    train = await kernels.session("train.ipynb")
    name, shell = kernels.terminal()
    gpu.hold({kernels.pid(train): GIB, shell.pid: GIB})
    chosen = ["no-such-kernel", name, str(shell.pid), train]
    done = await patiently(chosen, gpu.programs, held=gpu.held, used=gpu.used)
    assert done.shut == [train]
    assert [failure.kernel_id for failure in done.failed] == ["no-such-kernel", name, str(shell.pid)]
    assert {failure.reason for failure in done.failed} == {
        "There is no such kernel in this server: it may have ended already."
    }
    assert done.freed == GIB
    assert shell.isalive()
    # Nor is a terminal shut where all that hold memory are.
    assert (await patiently(None, gpu.programs, held=gpu.held, used=gpu.used)).to_json() == {
        "shut": [],
        "failed": [],
        "freed_bytes": 0,
        "freed_note": "",
    }


async def test_a_kernel_that_ignores_the_shutdown_is_named_and_the_others_are_shut(
    gpu: Gpu, kernels: Kernels
) -> None:
    stuck, train = await kernels.session("stuck.ipynb"), await kernels.session("train.ipynb")
    pid = kernels.pid(stuck)
    kernels.manager(stuck).shutdown_wait_time = 10 * PATIENCE
    gpu.hold({pid: GIB, kernels.pid(train): 2 * GIB})
    os.kill(pid, signal.SIGSTOP)
    try:
        ahead = Ahead(asyncio.get_running_loop())
        programs = Noting(gpu.programs)
        releasing = asyncio.ensure_future(patiently(None, programs, held=gpu.held, used=gpu.used))
        await until(lambda: programs.shut == [train] and kernels.manager(stuck).shutting_down)
        for _ in range(10):
            await asyncio.sleep(0)  # Who waits for it hears of it.
        ahead.pass_time(PATIENCE)
        done = await releasing
        assert done.shut == [train]
        assert [tuple(failure) for failure in done.failed] == [
            (
                stuck,
                f"It did not end within {PATIENCE:.0f} s. It may still do so; if not, restart the server.",
            )
        ]
        assert done.freed == 2 * GIB
    finally:
        os.kill(pid, signal.SIGKILL)
    # What was begun goes on: it is not left half shut down.
    await until(lambda: not kernels.here(stuck))


async def test_a_kernel_that_dies_during_the_call_is_shut(gpu: Gpu, kernels: Kernels) -> None:
    train = await kernels.session("train.ipynb")
    pid = kernels.pid(train)
    kernels.manager(train).shutdown_wait_time = 10 * PATIENCE
    gpu.hold({pid: 2 * GIB})
    os.kill(pid, signal.SIGSTOP)
    releasing = asyncio.ensure_future(patiently([train], gpu.programs, held=gpu.held, used=gpu.used))
    await until(lambda: kernels.manager(train).shutting_down)
    os.kill(pid, signal.SIGKILL)
    done = await releasing
    assert (done.shut, done.failed, done.freed) == ([train], (), 2 * GIB)


async def test_a_kernel_that_is_gone_when_its_turn_comes_is_shut(
    gpu: Gpu, kernels: Kernels, jp_serverapp: Any
) -> None:
    train = await kernels.bare()
    gpu.hold({kernels.pid(train): 2 * GIB})
    held = await gpu.held()

    async def holding() -> Mapping[str, int | None]:
        return held

    async def used() -> Mapping[str, int | None]:
        told = await gpu.used()
        if kernels.here(train):
            await jp_serverapp.kernel_manager.shutdown_kernel(train)
        return told

    done = await patiently(None, gpu.programs, held=holding, used=used)
    assert (done.shut, done.failed, done.freed) == ([train], (), 2 * GIB)


async def test_one_that_was_gone_before_is_told(gpu: Gpu, kernels: Kernels) -> None:
    train = await kernels.bare()
    gpu.hold({})
    await gpu.programs.shut_down(train)
    done = await patiently([train], gpu.programs, held=gpu.held, used=gpu.used)
    assert (done.shut, [failure.kernel_id for failure in done.failed], done.freed) == ([], [train], 0)


async def test_a_driver_that_does_not_tell(gpu: Gpu, kernels: Kernels) -> None:
    first, second, third = await kernels.bare(), await kernels.bare(), await kernels.bare()
    ahead, hangs = Ahead(asyncio.get_running_loop()), asyncio.Event()

    async def nothing() -> Mapping[str, int | None]:
        return {SLICE: None}

    async def failing() -> Mapping[str, int | None]:
        raise RuntimeError("GPU is lost")

    async def hanging() -> Mapping[str, int | None]:
        ahead.pass_time(PATIENCE)
        await hangs.wait()
        return {}

    for kernel, used in ((first, nothing), (second, failing), (third, hanging)):
        done = await patiently([kernel], gpu.programs, held=_held(kernel), used=used)
        assert (done.shut, done.freed) == ([kernel], None)
        assert done.note == "The driver did not tell how much memory is in use."


async def test_what_others_took_meanwhile_is_not_told_as_given_back(gpu: Gpu, kernels: Kernels) -> None:
    train = await kernels.session("train.ipynb")
    hardware = gpu.hold({kernels.pid(train): GIB})
    (board,) = hardware.boards
    fuller = replace(
        hardware, boards=[replace(board, migs=[replace(mig, memory_used=3 * GIB) for mig in board.migs])]
    )
    ahead, asked = Ahead(asyncio.get_running_loop()), 0

    async def used() -> Mapping[str, int | None]:
        nonlocal asked
        told = await gpu.used()
        asked += 1
        if asked == 1:
            gpu.driver.write(fuller)
        elif asked == 3:
            # It was waited for long enough.
            ahead.pass_time(PATIENCE)
        return told

    done = await patiently(None, gpu.programs, held=gpu.held, used=used)
    assert (done.shut, done.freed) == ([train], 0)
    assert done.note == "Other programs took more memory meanwhile than these kernels gave back."


def test_what_kernels_hold_is_added_up_over_their_processes_and_devices() -> None:
    a = Owner("notebook", "a", "a.ipynb", "a.ipynb")
    rows = [
        (a, 1),
        (a, 2),
        (Owner("console", "b", "Console 1", None), 4),
        (Owner("console", "b", "Console 1", None), None),
        (Owner("notebook", None, "a.ipynb", "a.ipynb"), 8),
        (Owner("terminal", "1", "Terminal 1", None), 16),
        (Owner("other", None, "python", None), 32),
    ]
    found = [GpuProcess(100 + n, SLICE, memory, "x", owner) for n, (owner, memory) in enumerate(rows)]
    assert kernels_of(Processes(found)) == {"a": 3, "b": None}


def _held(kernel: str) -> Callable[[], Awaitable[Mapping[str, int | None]]]:
    async def held() -> Mapping[str, int | None]:
        return {kernel: None}

    return held
