"""A real server on the simulated driver: bad days, what is pushed and exported."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig
from jupyter_mlinfn.demo.driver.presets import A100_SLICE_UUID
from jupyter_mlinfn.events import GPU

from ..support.gpu import MINE, VARIABLES, without_migs
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for
from .clocked import HELD, MEMORY
from .gauges import USED, assert_gauges


@contextmanager
def served(folder: Path) -> Iterator[tuple[Server, SimulatedDriver]]:
    driver = SimulatedDriver(folder / "driver")
    driver.write(HELD)
    environment = {**driver.environment(), **MINE}
    platform = Platform(folder / "platform", ["https://channel.invalid"], environment=environment)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in VARIABLES:
                # Nothing is told of the GPU of this machine.
                patch.delenv(name, raising=False)
            with running(platform) as server:
                yield server, driver
    finally:
        driver.unload()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, SimulatedDriver]]:
    with served(tmp_path_factory.mktemp("served")) as both:
        yield both


@pytest.fixture
def server(both: tuple[Server, SimulatedDriver]) -> Server:
    """One that sees the driver as it was at first, whatever it has been through."""
    server, driver = both
    driver.write(HELD)
    wait_for_kind(server, "fine")
    return server


@pytest.fixture
def its_driver(both: tuple[Server, SimulatedDriver]) -> SimulatedDriver:
    return both[1]


def read(server: Server, since: int = 0, revision: int = 0) -> dict[str, Any]:
    return server.get(f"api/mlinfn/gpu?since={since}&revision={revision}")


def kind(server: Server) -> str:
    return str(read(server)["view"]["state"]["kind"])


def wait_for_kind(server: Server, wanted: str) -> None:
    wait_for(lambda: kind(server) == wanted)


def test_a_poll_brings_only_what_is_new(server: Server) -> None:
    first = read(server)

    def polled() -> Any:
        nonlocal first
        poll = read(server, first["seq"], first["revision"])
        if poll["view"] is not None:
            # Once a minute all is told, for the account of use.
            first = read(server)
        return poll["samples"] and poll["view"] is None and poll

    poll = wait_for(polled)

    assert {(each["used"], each["device"]) for each in poll["samples"]} == {(USED, A100_SLICE_UUID)}
    assert poll["seq"] == poll["samples"][-1]["seq"] > first["seq"]
    # A page that outlived an earlier server has numbers that are none of ours.
    assert read(server, 2**53 - 1, 2**53 - 1)["view"]["devices"]


def test_while_the_driver_hangs_everybody_is_answered_and_then_it_goes_on(
    server: Server, its_driver: SimulatedDriver
) -> None:
    its_driver.hang(MEMORY)
    # Each comes back, though the driver does not.
    with ThreadPoolExecutor(50) as pool:
        wait_for(lambda: "hanging" in list(pool.map(lambda _: kind(server), range(50))))
    view = read(server)["view"]
    status, released = server.request("POST", "api/mlinfn/gpu/release", {})
    its_driver.release()

    assert view["devices"][0]["memory_used"] == USED
    assert view["present"]
    assert (status, released["freed_bytes"]) in ((200, 0), (200, None))
    wait_for_kind(server, "fine")


def test_a_driver_that_hangs_for_ever_does_not_keep_a_server_from_its_end(tmp_path: Path) -> None:
    with served(tmp_path) as (server, driver):
        wait_for_kind(server, "fine")
        driver.hang()
        wait_for_kind(server, "hanging")
        server.process.terminate()
        server.process.wait(PATIENCE)


def test_changes_of_the_state_are_pushed(server: Server, its_driver: SimulatedDriver) -> None:
    url = server.url.replace("http", "ws") + "/api/events/subscribe"
    with closing(
        websocket.create_connection(url, header=[f"Authorization: token {TOKEN}"], timeout=PATIENCE)
    ) as events:

        def pushed() -> bool:
            # There are events of other rooms.
            return bool(wait_for(lambda: json.loads(events.recv())["schema_id"] == GPU))

        its_driver.hang(MEMORY)
        wait_for_kind(server, "hanging")
        assert pushed()
        its_driver.release()
        its_driver.write(without_migs(a100_mig()))
        wait_for_kind(server, "mig_destroyed")
        assert pushed()


def test_metrics_tell_what_is_known(server: Server) -> None:
    def scrape() -> list[str]:
        request = urllib.request.Request(f"{server.url}/metrics", headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return str(answer.read().decode()).splitlines()

    def told() -> Any:
        lines = scrape()
        return any("mlinfn_gpu_memory_used" in line for line in lines) and lines

    # They are there some seconds after the start.
    assert_gauges(wait_for(told))
