"""A real server on the simulated driver: bad days, many readers and none, what is pushed and exported."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig, h100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID, A100_UUID, H100_SLICE_UUID
from jupyter_mlinfn.events import GPU

from ..support.gpu import (
    FIRST_PID,
    GIB,
    MIB,
    MINE,
    SCENARIOS,
    SECOND_UUID,
    VARIABLES,
    environment_of,
    played,
    run_python,
    without_migs,
)
from ..support.gpu_looker import looking
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for

HELD = a100_mig({FIRST_PID: 3 * GIB})
NONE = {"NVIDIA_VISIBLE_DEVICES": "none"}


@pytest.fixture(autouse=True)
def no_gpu_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedDriver]:
    driver = SimulatedDriver(tmp_path / "driver")
    driver.write(HELD)
    yield driver
    driver.unload()


@pytest.fixture
def server(tmp_path: Path, simulated: SimulatedDriver) -> Iterator[Server]:
    environment = {**simulated.environment(), **MINE}
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"], environment=environment)
    with running(platform) as server:
        yield server


def read(server: Server, since: int = 0, revision: int = 0) -> dict[str, Any]:
    return server.get(f"api/mlinfn/gpu?since={since}&revision={revision}")


def kind(server: Server) -> str:
    return str(read(server)["view"]["state"]["kind"])


def wait_for_kind(server: Server, *wanted: str) -> str:
    return str(wait_for(lambda: (now := kind(server)) in wanted and now))


def test_a_poll_brings_only_what_is_new(server: Server) -> None:
    wait_for_kind(server, "fine")
    first = read(server)
    poll = wait_for(lambda: (new := read(server, first["seq"], first["revision"]))["samples"] and new)

    assert poll["view"] is None
    assert [each["used"] for each in poll["samples"]] == [3 * GIB + 13 * MIB]
    assert poll["samples"][0]["device"] == A100_SLICE_UUID
    assert poll["seq"] == poll["samples"][-1]["seq"] > first["seq"]
    assert len(json.dumps(poll)) < 300
    # A page that outlived an earlier server has numbers that are none of ours.
    assert read(server, 2**53 - 1, 2**53 - 1)["view"]["devices"]


def test_a_jump_of_the_memory_is_told_at_once(server: Server, simulated: SimulatedDriver) -> None:
    wait_for_kind(server, "fine")
    before = read(server)
    simulated.write(a100_mig({FIRST_PID: 1 * GIB}))
    changed = time.monotonic()
    view = wait_for(lambda: read(server, before["seq"], before["revision"])["view"])

    assert view["devices"][0]["memory_used"] == 1 * GIB + 13 * MIB
    # Every 10 s, did the memory not tell.
    assert time.monotonic() - changed < 6


def test_a_hang_of_three_seconds_stalls_nobody(server: Server, simulated: SimulatedDriver) -> None:
    wait_for_kind(server, "fine")
    simulated.write(replace(HELD, hangs={"nvmlDeviceGetMemoryInfo": 3.0}))
    slowest, kinds = 0.0, Counter[str]()
    while kinds["hanging"] == 0:
        began = time.monotonic()
        kinds[kind(server)] += 1
        slowest = max(slowest, time.monotonic() - began)
        assert kinds.total() < 5000
    simulated.write(HELD)

    # On a busy machine a request takes its time; one that waited for the driver would take 3 s.
    assert slowest < 1.5
    wait_for_kind(server, "fine")


def test_a_driver_that_hangs_for_ever_keeps_nothing_from_going_on(
    server: Server, simulated: SimulatedDriver
) -> None:
    wait_for_kind(server, "fine")
    simulated.hang()
    wait_for_kind(server, "hanging")
    view = read(server)["view"]
    status, released = server.request("POST", "api/mlinfn/gpu/release", {})
    began = time.monotonic()
    server.process.terminate()
    server.process.wait(PATIENCE)

    assert view["devices"][0]["memory_used"] == 3 * GIB + 13 * MIB
    assert view["present"]
    assert (status, released["freed_bytes"]) in ((200, 0), (200, None))
    assert time.monotonic() - began < 10


def test_after_an_endless_hang_it_goes_on(server: Server, simulated: SimulatedDriver) -> None:
    wait_for_kind(server, "fine")
    simulated.hang("nvmlDeviceGetMemoryInfo")
    wait_for_kind(server, "hanging")
    simulated.release()

    wait_for_kind(server, "fine")


def test_fifty_readers_cost_the_driver_what_one_costs(server: Server, simulated: SimulatedDriver) -> None:
    wait_for_kind(server, "fine")
    before, began = simulated.calls()["nvmlDeviceGetMemoryInfo_v2"], time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: read(server), range(200)))
    took = time.monotonic() - began
    calls = simulated.calls()["nvmlDeviceGetMemoryInfo_v2"] - before

    assert all(answer["view"]["state"]["kind"] == "fine" for answer in answers)
    assert calls <= took / 2 + 2


def test_changes_of_the_state_are_pushed(server: Server, simulated: SimulatedDriver) -> None:
    wait_for_kind(server, "fine")
    url = server.url.replace("http", "ws") + "/api/events/subscribe"
    with closing(
        websocket.create_connection(url, header=[f"Authorization: token {TOKEN}"], timeout=PATIENCE)
    ) as events:
        simulated.hang("nvmlDeviceGetMemoryInfo")
        # Nobody needs to ask again for the hang to be told.
        hung = json.loads(events.recv())
        state = kind(server)
        simulated.release()
        simulated.write(without_migs(a100_mig()))
        told = json.loads(events.recv())
        while kind(server) != "mig_destroyed":
            told = json.loads(events.recv())

    assert hung["schema_id"] == told["schema_id"] == GPU
    assert state == "hanging"


def test_metrics_tell_what_is_known_and_ask_nothing(server: Server, simulated: SimulatedDriver) -> None:
    def scrape() -> list[str]:
        request = urllib.request.Request(f"{server.url}/metrics", headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return str(answer.read().decode()).splitlines()

    def scrape_gpu() -> list[str]:
        return [line for line in scrape() if "mlinfn_gpu_memory_used" in line]

    wait_for_kind(server, "fine")
    # They are there some seconds after the start.
    wait_for(scrape_gpu)
    # The sampler makes some calls by itself while a reader lingers: memory only, of which we count none.
    asked = simulated.calls()
    lines = scrape()
    more = simulated.calls() - asked
    used = [line.split(" ") for line in lines if line.startswith("mlinfn_gpu_memory_used_bytes{")]
    states = {
        line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines if "mlinfn_gpu_state{" in line
    }

    assert [name for name, _ in used] == [f'mlinfn_gpu_memory_used_bytes{{device="{A100_SLICE_UUID}"}}']
    assert float(used[0][1]) == 3 * GIB + 13 * MIB
    assert states['mlinfn_gpu_state{state="fine"}'] == "1.0"
    assert [value for value in states.values() if value != "0.0"] == ["1.0"]
    assert any(line.startswith("mlinfn_gpu_held_seconds_total{") for line in lines)
    assert any(line.startswith("mlinfn_gpu_used_seconds_total{") for line in lines)
    assert set(more) <= {"nvmlDeviceGetMemoryInfo_v2"}


QUICK = """
import asyncio, json, sys, threading
from jupyter_mlinfn.gpu import sampler, service
sampler.LINGERS, sampler.ACCOUNT_EVERY, sampler.MEMORY_EVERY, sampler.SLOW_EVERY = 0.4, 0.5, 0.1, 0.2
"""
"""The same code with seconds for minutes."""


def test_without_an_account_nothing_is_asked_when_nobody_reads(simulated: SimulatedDriver) -> None:
    code = (
        QUICK
        + """
async def main():
    gpu = service.GpuService(service.NoPrograms(), accounting=False)
    gpu.start()
    await gpu.snapshot(0, 0)
    while gpu.sampler.running:
        await asyncio.sleep(0.05)
    print(threading.active_count())
    gpu.sampler.read()
    while gpu.sampler.picture.state.kind != "fine":
        await asyncio.sleep(0.05)
    while gpu.sampler.running:
        await asyncio.sleep(0.05)
    gpu.close()

asyncio.run(main())
"""
    )
    assert run_python(simulated, code, variables=MINE).split() == ["1"]
    calls = simulated.calls()
    assert calls["nvmlInitWithFlags"] == calls["nvmlShutdown"] == 2


def test_with_an_account_only_the_memory_is_read_when_nobody_reads(simulated: SimulatedDriver) -> None:
    code = (
        QUICK
        + """
async def main():
    gpu = service.GpuService(service.NoPrograms(), accounting=True)
    gpu.start()
    await gpu.snapshot(0, 0)
    while gpu.sampler.watched or gpu.sampler.picture.state.kind != "fine":
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    print("nobody reads", flush=True)
    sys.stdin.readline()
    before = gpu.ledger.to_json()
    while gpu.sampler.history.since(0)[0] < gpu.sampler.history.since(0)[1][0].seq + 12:
        await asyncio.sleep(0.05)
    usage = gpu.ledger.to_json()
    print(json.dumps(usage))
    gpu.close()

asyncio.run(main())
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment_of(simulated, MINE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "nobody reads\n"
        before = simulated.calls()
        usage, _ = process.communicate("go on\n", timeout=PATIENCE)
        calls = simulated.calls() - before

    assert json.loads(usage)["memory_seconds"] >= 1
    assert calls["nvmlDeviceGetMemoryInfo_v2"] >= 2
    # At its end it may have had the time to say goodbye.
    assert set(calls) - {"nvmlShutdown"} == {"nvmlDeviceGetMemoryInfo_v2"}


def test_without_a_library_it_is_looked_for_once(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path, library=False)
    code = (
        QUICK
        + """
async def main():
    gpu = service.GpuService(service.NoPrograms(), accounting=True)
    gpu.start()
    while gpu.sampler.picture.state.kind == "starting":
        await asyncio.sleep(0.02)
    while gpu.sampler.running:
        await asyncio.sleep(0.02)
    answer = gpu.sampler.picture
    print(answer.state.kind, answer.seen.present, "pynvml" in sys.modules)
    gpu.close()

asyncio.run(main())
"""
    )
    assert run_python(simulated, code).split() == ["no_library", "False", "False"]


def test_a_library_that_comes_later_is_found(tmp_path: Path) -> None:
    simulated = SimulatedDriver(tmp_path, library=False)
    with looking(simulated, MINE) as looker:
        assert looker.look()["view"]["state"]["kind"] == "no_library"
        simulated.install_library()
        simulated.write(HELD)
        view = looker.look()["view"]
        assert view["state"]["kind"] == "fine"
        assert view["simulated"]
        simulated.unload()


def test_a_driver_that_has_nothing_for_this_server_is_no_gpu_here(simulated: SimulatedDriver) -> None:
    code = """
import asyncio
from jupyter_mlinfn.gpu.service import GpuService, NoPrograms

async def main():
    gpu = GpuService(NoPrograms())
    print(await gpu.ask_driver(), gpu.sampler.picture.state.kind)
    gpu.close()

asyncio.run(main())
"""
    given, none = (run_python(simulated, code, variables=each) for each in (MINE, NONE))

    assert given.split(" fine")[0] == f"('{HELD.cuda}', '{HELD.version}')"
    assert none.strip() == "(None, None) no_device"


def test_a_failure_of_ours_is_logged_once_and_tried_again(simulated: SimulatedDriver) -> None:
    code = """
import asyncio, logging
from jupyter_mlinfn.gpu import sampler, service
sampler._RETRY_FIRST, sampler._RETRY_LAST = 0.05, 0.1

class Programs(service.NoPrograms):
    async def running(self):
        return [] if done else [None]

logged, done, kinds = [], False, []
logging.getLogger("jupyter_mlinfn.gpu.sampler").addFilter(lambda record: logged.append(record))

async def main():
    global done
    gpu = service.GpuService(Programs(), accounting=False)
    for _ in range(3):
        await gpu.ask_driver()
        kinds.append(gpu.sampler.picture.state.kind)
    done = True
    while gpu.sampler.picture.state.kind != "fine":
        await gpu.snapshot(0, 0)
        await asyncio.sleep(0.05)
    print(len(logged), *kinds)
    gpu.close()

service._PROGRAMS_FRESH = service._MEASURE_LIMIT = 0.1
asyncio.run(main())
"""
    assert run_python(simulated, code, variables=MINE).split() == ["1", *3 * ["driver_error"]]


def test_what_came_back_is_seen_again(simulated: SimulatedDriver) -> None:
    with looking(simulated, MINE) as looker:
        looker.look()
        for driver, expected in (
            (without_migs(a100_mig()), "mig_destroyed"),
            (HELD, "fine"),
            (replace(HELD, boards=[replace(HELD.boards[0], status=15)]), "lost"),
            (replace(HELD, generation=2), "fine"),
        ):
            simulated.write(driver)
            view = looker.look()["view"]
            assert view["state"]["kind"] == expected
            # What one had is named, whatever became of it.
            assert [each["uuid"] for each in view["devices"]] == [A100_SLICE_UUID]
            assert (view["devices"][0]["memory_used"] is None) == (expected != "fine")


def test_the_use_of_a_hopper_slice_is_told(simulated: SimulatedDriver) -> None:
    simulated.write(h100_mig(utilization=42))
    with looking(simulated, {"NVIDIA_VISIBLE_DEVICES": H100_SLICE_UUID}) as looker:
        first = looker.look()["view"]["devices"][0]
        # Two readings of the counters make one figure.
        answer = wait_for(lambda: (seen := looker.look())["samples"][-1]["utilisation"] is not None and seen)

    assert first["utilisation"] is None
    assert first["utilisation_note"]
    assert answer["samples"][-1]["utilisation"] == 42
    assert answer["samples"][-1]["device"] == H100_SLICE_UUID


def test_two_servers_in_one_process_do_not_clash(simulated: SimulatedDriver) -> None:
    code = (
        QUICK
        + """
import prometheus_client

async def main():
    both = [service.GpuService(service.NoPrograms(), accounting=True) for _ in range(2)]
    for gpu in both:
        gpu.start()
        while gpu.sampler.picture.state.kind != "fine":
            await asyncio.sleep(0.02)
    def told():
        text = prometheus_client.generate_latest().decode()
        return text.count("\\nmlinfn_gpu_memory_used_bytes{")
    counts = [told()]
    for gpu in both:
        gpu.close()
        counts.append(told())
    print(*counts, b"mlinfn" in prometheus_client.generate_latest())

asyncio.run(main())
"""
    )
    assert run_python(simulated, code, variables=MINE).split() == ["1", "1", "0", "False"]


def test_one_of_two_that_is_lost_does_not_hide_the_other(tmp_path: Path) -> None:
    scenario = SCENARIOS["lost_one_of_two"]
    assert scenario.driver is not None
    assert scenario.then is not None
    with played(scenario, tmp_path) as simulated, looking(simulated, scenario.environment) as looker:
        looker.look()
        simulated.write(scenario.then)
        lost = looker.look()
        simulated.write(scenario.driver)
        # What failed is looked for again, every 10 s.
        back = wait_for(lambda: (seen := looker.read())["view"]["state"]["kind"] == "fine" and seen)

    healthy, gone = lost["view"]["devices"]
    assert [healthy["uuid"], gone["uuid"]] == [A100_UUID, SECOND_UUID]
    assert healthy["memory_used"] >= 9 * GIB
    assert gone["memory_used"] is None
    assert healthy["board"]["temperature"] is not None
    sentence = lost["view"]["state"]["sentence"]
    assert f"A100-PCIE-40GB ({SECOND_UUID}) only" in sentence
    assert A100_UUID not in sentence
    newest = {each["device"]: each["used"] for each in lost["samples"]}
    assert newest == {A100_UUID: healthy["memory_used"], SECOND_UUID: None}
    assert [each["memory_used"] is None for each in back["view"]["devices"]] == [False, False]


def test_a_refusal_for_one_of_two_keeps_the_connection(tmp_path: Path) -> None:
    scenario = SCENARIOS["no_permission_for_one_of_two"]
    assert scenario.then is not None
    with played(scenario, tmp_path) as simulated, looking(simulated, scenario.environment) as looker:
        looker.look()
        simulated.write(scenario.then)
        for _ in range(3):
            view = looker.look()["view"]
        calls = simulated.calls()

    assert [each["memory_used"] is None for each in view["devices"]] == [False, True]
    assert calls["nvmlInitWithFlags"] == 1
    assert calls["nvmlShutdown"] == 0


@pytest.mark.parametrize("name", ["ambiguous", "ambiguous_two"])
def test_nothing_is_told_of_devices_that_may_be_somebody_elses(name: str, tmp_path: Path) -> None:
    """Neither to the user nor on /metrics; the names are, to choose by."""
    scenario = SCENARIOS[name]
    code = (
        QUICK
        + """
import prometheus_client

async def main():
    gpu = service.GpuService(service.NoPrograms(), accounting=True)
    gpu.start()
    await gpu.ask_driver()
    answer = await gpu.snapshot(0, 0)
    lines = prometheus_client.generate_latest().decode().splitlines()
    told = [line for line in lines if line.startswith("mlinfn_gpu") and "{device=" in line]
    print(json.dumps([answer, told]))
    gpu.close()

asyncio.run(main())
"""
    )
    with played(scenario, tmp_path) as simulated:
        answer, told = json.loads(run_python(simulated, code, variables=scenario.environment))
        calls = simulated.calls()

    view = answer["view"]
    assert view["state"]["kind"] == "ambiguous"
    assert len(view["devices"]) > 1
    assert A100_SLICE_UUID in [each["uuid"] for each in view["devices"]]
    for device in view["devices"]:
        assert device["memory_used"] is device["memory_free"] is device["utilisation"] is None
        assert device["board"]["power"] is None
    assert answer["samples"] == told == view["processes"]["list"] == []
    assert view["processes"]["note"]
    assert not any("RunningProcesses" in call for call in calls)


def test_a_driver_that_comes_up_late_is_found_though_nobody_looks(simulated: SimulatedDriver) -> None:
    simulated.unload()
    code = (
        QUICK
        + """
async def main():
    gpu = service.GpuService(service.NoPrograms(), accounting=True)
    gpu.start()
    while gpu.sampler.picture.state.kind == "starting":
        await asyncio.sleep(0.02)
    print(gpu.sampler.picture.state.kind, flush=True)
    while gpu.sampler.picture.state.kind != "fine":
        await asyncio.sleep(0.05)
    print(gpu.sampler.watched, gpu.sampler.running)
    gpu.close()

asyncio.run(main())
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment_of(simulated, MINE), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "driver_not_loaded\n"
        simulated.write(HELD)
        said, _ = process.communicate(timeout=PATIENCE)

    assert said.split() == ["False", "True"]


def test_what_ails_the_managers_of_kernels_hides_no_figure(simulated: SimulatedDriver) -> None:
    code = """
import asyncio, logging
from jupyter_mlinfn.gpu import service
from jupyter_mlinfn.gpu.models import Program

class Programs(service.NoPrograms):
    async def running(self):
        if ailing:
            raise RuntimeError("the manager fell over")
        return [Program("notebook", "1", None, "train.ipynb", None, busy=True)]

logged, ailing = [], False
logging.getLogger("jupyter_mlinfn.gpu.service").addFilter(lambda record: logged.append(record))
service._PROGRAMS_FRESH = -1.0

async def main():
    global ailing
    gpu = service.GpuService(Programs(), accounting=False)
    await gpu.ask_driver()
    ailing = True
    kinds = [(await gpu.snapshot(0, 0))["view"]["state"]["kind"] for _ in range(3)]
    # By the list of before.
    print(len(logged), await gpu.busy(), *kinds)
    gpu.close()

asyncio.run(main())
"""
    assert run_python(simulated, code, variables=MINE).split() == ["1", "True", *3 * ["fine"]]
