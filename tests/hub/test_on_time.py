"""A server is stopped when it says so, and one at work is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from ..support.hub import Hub, HubServer, hub_running
from ..support.hub_settings import HubSettings, ServerSettings
from ..support.proof import note, sample
from ..support.server import wait_for
from .people import TRAIN, Stage

TIMEOUT = 16
CHECK = TIMEOUT // 2
"""Seconds between two checks of the hub's culler, in its usual proportion to the timeout."""

LAST_WORD = 4
"""Seconds before the announced time from which it is believed."""

AT_ONCE = 5

IDLE = ServerSettings(
    traits={"idle_timeout": TIMEOUT, "idle_warnings": [8.0]},
    own_server=True,
    environment={"MLINFN_HUB_CULL_TIMEOUT": str(TIMEOUT), "MLINFN_HUB_CULL_EVERY": str(CHECK)},
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    settings = HubSettings(culler_timeout=TIMEOUT, culler_every=CHECK, proxy_class="mlinfn")
    with hub_running(tmp_path_factory.mktemp("on-time") / "hub", settings) as hub:
        yield hub


def stage(server: HubServer) -> Stage:
    return Stage(server, None, mine=True)


def work(hub: Hub, user: str) -> HubServer:
    """A server with a cell that computes, its page closed."""
    server = hub.start(user, settings=IDLE)
    kernel = stage(server).kernel()
    kernel.execute(TRAIN)
    wait_for(lambda: server.get("api/mlinfn/idle")["busy"])
    kernel.socket.close()
    return server


def late(server: HubServer, *, tab: bool) -> float:
    """Seconds from the time that the server announced to the end of its process."""
    here = stage(server)
    with here.closers:
        if tab:
            # Its start is work.
            here.kernel().run("print()")
            here.leave_tab()
        here.use_page()
        process = server.process()
        assert process is not None
        announced = None
        while _lives(process):
            # Who asks is no sign of life.
            with suppress(OSError):
                warning = server.request("GET", "api/mlinfn/idle")[1].get("warning")
                if warning is not None:
                    announced = datetime.fromisoformat(warning["stops_at"].replace("Z", "+00:00")).timestamp()
            if announced is not None and announced - time.time() < LAST_WORD:
                wait_for(lambda: not _lives(process))
            time.sleep(0.3)
        ended = time.time()
        assert announced is not None, f"stopped without a warning:\n{server.log()[-3000:]}"
        wait_for(lambda: not server.running())
        return ended - announced


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.proof
def test_a_server_stops_when_it_said_and_one_at_work_does_not(hub: Hub, tmp_path: Path) -> None:
    runs, at_work = sample(5, 50), sample(1, 4)
    working = [work(hub, f"worker{number}") for number in range(at_work)]
    began = time.monotonic()
    delays: list[float] = []

    def run(number: int) -> float:
        # A user's next server, as on the next day.
        server = hub.start(f"idler{number % AT_ONCE}", settings=IDLE)
        return late(server, tab=number % 2 == 1)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, runs, AT_ONCE):
            delays += pool.map(run, range(first, min(first + AT_ONCE, runs)))
    stopped = [each.user for each in working if not each.running()]
    note(
        f"idle: {len(delays)} servers stopped {min(delays):.1f} to {max(delays):.1f} s after the time that "
        f"they had announced, check interval {CHECK} s"
    )
    note(
        f"idle: {len(stopped)} of {at_work} servers at work stopped in {time.monotonic() - began:.0f} s, "
        f"timeout {TIMEOUT} s"
    )
    assert stopped == []
    assert time.monotonic() - began > TIMEOUT + CHECK, "too short for a server at work to have been stopped"
    assert len(delays) == runs
    assert all(0 <= delay <= CHECK for delay in delays), delays
