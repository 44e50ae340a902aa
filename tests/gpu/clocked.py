"""What a service does as time passes, each in a process of its own with the driver (`inside`).

All of them turn the service's clock themselves; what they tell, and are judged by, is how the driver was
asked meanwhile, and what was said.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any

import prometheus_client

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig
from jupyter_mlinfn.gpu.metrics import FRESH
from jupyter_mlinfn.gpu.models import Program
from jupyter_mlinfn.gpu.release import Programs
from jupyter_mlinfn.gpu.sampler import ACCOUNT_EVERY, LINGERS, MEMORY_EVERY, SLOW_EVERY
from jupyter_mlinfn.gpu.service import NoPrograms
from jupyter_mlinfn.gpu.watchdog import HANGS_AFTER, INIT_HANGS_AFTER

from ..support.gpu import FIRST_PID, GIB, without_migs
from ..support.gpu_clock import turned
from ..support.patience import until

MEMORY = "nvmlDeviceGetMemoryInfo"
HELD = a100_mig({FIRST_PID: 3 * GIB})


def scrape() -> list[str]:
    return prometheus_client.generate_latest().decode().splitlines()


async def asked(driver: SimulatedDriver, before: Mapping[str, int]) -> None:
    """Wait until the driver is asked more than before."""
    await until(lambda: driver.calls() != before)


async def a_poll(driver: SimulatedDriver) -> dict[str, Any]:
    async with turned() as gpu:
        first = await gpu.see()
        await gpu.pass_time(MEMORY_EVERY)
        poll = await gpu.service.snapshot(first["seq"], first["revision"])
        stranger = await gpu.service.snapshot(2**53 - 1, 2**53 - 1)
    return {"first": first, "poll": poll, "stranger": stranger}


async def many_readers(driver: SimulatedDriver) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    later, timers = loop.call_later, list[asyncio.TimerHandle]()

    def call_later(delay: float, call: Any, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        handle = later(delay, call, *arguments, **more)
        if getattr(call, "__self__", None) is gpu.service:
            timers.append(handle)
        return handle

    loop.call_later = call_later  # type: ignore[method-assign]
    async with turned() as gpu:
        await gpu.see()
        before = driver.calls()
        answers = await asyncio.gather(*(gpu.service.snapshot(0, 0) for _ in range(50)))
        at_once = driver.calls() - before
        for _ in range(4):
            await gpu.pass_time(MEMORY_EVERY / 2)
            answers += await asyncio.gather(*(gpu.service.snapshot(0, 0) for _ in range(50)))
        waiting = sum(1 for each in timers if not each.cancelled() and each.when() > loop.time())
    calls = driver.calls() - before
    return {
        "kinds": [each["view"]["state"]["kind"] for each in answers],
        "at_once": at_once,
        "later": {name: calls[name] for name in calls if name != "nvmlShutdown"},
        "timers": [bool(timers), waiting],
    }


async def steady_and_jumping(driver: SimulatedDriver) -> dict[str, Any]:
    async with turned() as gpu:
        await gpu.see()
        told = []
        for seconds, held in ((MEMORY_EVERY, 3), (MEMORY_EVERY, 1), (MEMORY_EVERY, 1), (SLOW_EVERY, 1)):
            driver.write(a100_mig({FIRST_PID: held * GIB}))
            before = driver.calls()
            await gpu.pass_time(seconds)
            calls = driver.calls() - before
            (device,) = (await gpu.service.snapshot(0, 0))["view"]["devices"]
            told.append([device["memory_used"], sorted(calls)])
    return {"told": told}


async def a_hang(driver: SimulatedDriver) -> dict[str, Any]:
    said: dict[str, Any] = {}
    driver.write(HELD)

    async def say(when: str) -> None:
        # As many as come at once: who waited for the driver would wait for ever.
        answers = await asyncio.gather(*(gpu.service.snapshot(0, 0) for _ in range(50)))
        (said[when],) = {
            (each["view"]["state"]["kind"], each["view"]["devices"][0]["memory_used"]) for each in answers
        }

    async with turned() as gpu:
        await gpu.see()
        driver.hang(MEMORY)
        before = driver.calls()
        gpu.clock.pass_time(MEMORY_EVERY)
        await asked(driver, before)
        await say("at first")
        gpu.clock.pass_time(HANGS_AFTER - 0.5)
        await say("nearly")
        gpu.clock.pass_time(0.5)
        await say("then")
        driver.release()
        await gpu.settled()
        await say("after")
    return said


async def somebody_comes_while_it_ends(driver: SimulatedDriver) -> list[Any]:
    driver.write(HELD)
    async with turned() as gpu:
        await gpu.see()
        driver.hang("nvmlShutdown")
        before = driver.calls()
        gpu.clock.pass_time(LINGERS + 1)
        await asked(driver, before)
        await gpu.service.snapshot(0, 0)
        driver.release()
        await gpu.settled()
        return [gpu.service.sampler.running, gpu.kind]


async def a_first_call_that_hangs(driver: SimulatedDriver) -> list[str]:
    driver.write(HELD)
    driver.hang()
    async with turned() as gpu:
        await gpu.service.snapshot(0, 0)
        await asked(driver, {})
        kinds = [gpu.kind]
        for seconds in (INIT_HANGS_AFTER - 0.5, 0.5):
            gpu.clock.pass_time(seconds)
            kinds.append(gpu.kind)
        driver.release()
        await gpu.settled()
        return [*kinds, gpu.kind]


async def changes(driver: SimulatedDriver) -> list[str]:
    told = []
    driver.write(HELD)
    async with turned(changed=lambda: told.append(gpu.kind)) as gpu:
        await gpu.see()
        await until(lambda: told == ["fine"])
        # Nobody reads from here on; some seconds long somebody counts as a reader.
        driver.hang(MEMORY)
        before = driver.calls()
        gpu.clock.pass_time(MEMORY_EVERY)
        await asked(driver, before)
        gpu.clock.pass_time(HANGS_AFTER)
        await until(lambda: len(told) == 2)
        driver.release()
        await until(lambda: len(told) == 3)
        driver.write(without_migs(a100_mig()))
        await gpu.pass_time(MEMORY_EVERY)
        await until(lambda: len(told) == 4)
    return told


async def gauges(driver: SimulatedDriver) -> dict[str, Any]:
    driver.write(HELD)
    async with turned(accounting=True) as gpu:
        gpu.service.start()
        await gpu.see()
        before = driver.calls()
        lines = scrape()
        calls = driver.calls() - before
        driver.hang(MEMORY)
        before = driver.calls()
        gpu.clock.pass_time(MEMORY_EVERY)
        await asked(driver, before)
        gpu.clock.pass_time(FRESH - MEMORY_EVERY)
        nearly = scrape()
        gpu.clock.pass_time(1)
        old = scrape()
        driver.release()
    return {"lines": lines, "calls": calls, "nearly": nearly, "old": old}


async def nobody_reads_and_no_account(driver: SimulatedDriver) -> dict[str, Any]:
    threads = []
    async with turned() as gpu:
        gpu.service.start()
        before = threading.active_count()
        for _ in range(2):
            await gpu.see()
            await gpu.pass_time(LINGERS)
            assert gpu.service.sampler.running
            await gpu.pass_time(MEMORY_EVERY)
            await until(lambda: threading.active_count() == before)
            threads.append(gpu.service.sampler.running)
        await gpu.pass_time(ACCOUNT_EVERY)
        threads.append(gpu.service.sampler.running)
    return {"running": threads, "calls": driver.calls()}


async def nobody_reads_and_an_account(driver: SimulatedDriver) -> dict[str, Any]:
    async with turned(accounting=True) as gpu:
        gpu.service.start()
        await gpu.see()
        await gpu.pass_time(LINGERS + 1)
        assert not gpu.service.sampler.watched
        before = driver.calls()
        minutes = []
        for _ in range(3):
            await gpu.pass_time(ACCOUNT_EVERY)
            minutes.append(driver.calls() - before)
        held = LINGERS + 1 + 3 * ACCOUNT_EVERY
        await until(lambda: gpu.service.ledger.to_json()["memory_seconds"] >= held)
        usage = gpu.service.ledger.to_json()
    return {"minutes": minutes, "seconds": held, "usage": usage}


async def without_a_library(driver: SimulatedDriver) -> list[Any]:
    async with turned(accounting=True) as gpu:
        gpu.service.start()
        await gpu.settled()
        await gpu.pass_time(ACCOUNT_EVERY)
        sampler = gpu.service.sampler
        return [gpu.kind, sampler.picture.seen.present, sampler.running, "pynvml" in sys.modules]


async def a_driver_that_comes_late(driver: SimulatedDriver) -> list[Any]:
    driver.unload()
    async with turned(accounting=True) as gpu:
        gpu.service.start()
        await gpu.settled()
        before = gpu.kind
        driver.write(HELD)
        await gpu.pass_time(ACCOUNT_EVERY)
        return [before, gpu.kind, gpu.service.sampler.watched, gpu.service.sampler.running]


async def an_account_that_waits(driver: SimulatedDriver) -> list[bool]:
    """Whether it is being written, before and after the end of the service."""
    asked = asyncio.Event()

    class Hanging(NoPrograms):
        async def running(self) -> list[Program]:
            asked.set()
            await asyncio.Event().wait()
            return []

    def writes() -> bool:
        return any("_write_account" in repr(task.get_coro()) for task in asyncio.all_tasks())

    async with turned(Hanging(), accounting=True) as gpu:
        gpu.service.start()
        await asked.wait()
        before = writes()
    await until(lambda: not writes())
    return [before, writes()]


async def what_the_driver_says(driver: SimulatedDriver) -> list[Any]:
    async with turned() as gpu:
        return [await gpu.service.ask_driver(), gpu.kind]


async def a_failure_of_ours(driver: SimulatedDriver) -> dict[str, Any]:
    logged: list[logging.LogRecord] = []
    logging.getLogger("jupyter_mlinfn.gpu.sampler").addFilter(lambda record: bool(logged.append(record)))
    running: list[Any] = [None]

    class Failing(NoPrograms):
        async def running(self) -> list[Program]:
            return list(running)

    kinds = []
    async with turned(Failing()) as gpu:
        for _ in range(3):
            await gpu.service.snapshot(0, 0)
            await until(lambda: not gpu.service.sampler.running)
            kinds.append(gpu.kind)
            # A thread that begins now asks at once.
            gpu.clock.pass_time(SLOW_EVERY)
        running.clear()
        await gpu.see()
        return {"logged": len(logged), "kinds": [*kinds, gpu.kind]}


async def two_services(driver: SimulatedDriver) -> list[Any]:
    def told() -> int:
        return sum(line.startswith("mlinfn_gpu_memory_used_bytes{") for line in scrape())

    async with turned(accounting=True) as one, turned(accounting=True) as other:
        for gpu in (one, other):
            gpu.service.start()
            await gpu.settled()
        counts = [told()]
        for gpu in (one, other):
            gpu.service.close()
            counts.append(told())
    return [*counts, any("mlinfn" in line for line in scrape())]


async def devices_that_may_be_somebody_elses(driver: SimulatedDriver) -> dict[str, Any]:
    async with turned(accounting=True) as gpu:
        gpu.service.start()
        answer = await gpu.see()
        lines = [line for line in scrape() if line.startswith("mlinfn_gpu")]
        return {"answer": answer, "lines": lines, "calls": driver.calls()}


async def ailing_managers(driver: SimulatedDriver) -> dict[str, Any]:
    logged: list[logging.LogRecord] = []
    logging.getLogger("jupyter_mlinfn.gpu.service").addFilter(lambda record: bool(logged.append(record)))
    asked = ailing = 0

    class Ailing(NoPrograms):
        async def running(self) -> list[Program]:
            nonlocal asked
            asked += 1
            if ailing:
                raise RuntimeError("the manager fell over")
            return [Program("notebook", "1", None, "train.ipynb", None, busy=True)]

    programs: Programs = Ailing()
    async with turned(programs) as gpu:
        await gpu.see()
        ailing, before, kinds = 1, asked, []
        for _ in range(3):
            # The list is not asked for again in the same second.
            await gpu.pass_time(MEMORY_EVERY)
            kinds.append((await gpu.service.snapshot(0, 0))["view"]["state"]["kind"])
        return {
            "asked": asked - before,
            "logged": len(logged),
            "kinds": kinds,
            # By the list of before.
            "busy": await gpu.service.busy(),
        }
