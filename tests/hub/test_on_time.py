"""A server is stopped when it says so, and one at work is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

import psutil
import pytest

from ..support.hub import Hub, HubServer, hub_running
from ..support.hub_culler import culled, spared
from ..support.hub_settings import HubSettings, ServerSettings
from ..support.proof import PROOF, note, sample
from ..support.server import wait_for
from .people import TRAIN, Stage
from .test_idle import record

TIMEOUT = sample(8, 16)
CHECK = TIMEOUT // 2
"""Seconds between two checks of the hub's culler, in its usual proportion to the timeout."""

CULLER = sample(2 * TIMEOUT, TIMEOUT)
"""Seconds after which the culler comes: the very same, which a busy machine cannot tell apart."""

LAST_WORD = TIMEOUT / 4
"""Seconds before the announced time from which it is believed."""

AT_ONCE = 5

IDLE = ServerSettings(
    traits={"idle_timeout": TIMEOUT, "idle_warnings": [TIMEOUT / 2]},
    own_server=True,
    environment={"MLINFN_HUB_CULL_TIMEOUT": str(CULLER), "MLINFN_HUB_CULL_EVERY": str(CHECK)},
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    settings = HubSettings(culler_timeout=CULLER, culler_every=CHECK, proxy_class="mlinfn")
    with hub_running(tmp_path_factory.mktemp("on-time") / "hub", settings) as hub:
        yield hub


def stage(server: HubServer) -> Stage:
    return Stage(server, None, mine=True)


def work(hub: Hub, user: str) -> HubServer:
    """A server with a cell that computes, its page closed."""
    server = hub.start(user, settings=IDLE)
    here = stage(server)
    with here.somebody_there():
        kernel = here.kernel()
        kernel.execute(TRAIN)
        wait_for(lambda: server.get("api/mlinfn/idle")["busy"])
    kernel.socket.close()
    return server


def late(server: HubServer, *, tab: bool) -> float:
    """Seconds from the time that the server announced to the end of its process."""
    here = stage(server)
    with here.closers:
        with here.somebody_there():
            process = server.process()
            assert process is not None
            if tab:
                # Its start is work.
                here.kernel().run("print()")
                here.leave_tab()
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
def test_a_server_stops_when_it_said_and_one_at_work_does_not(hub: Hub) -> None:
    runs, at_work = sample(2, 50), sample(1, 4)
    working = [work(hub, f"worker{number}") for number in range(at_work)]
    began = time.monotonic()
    delays: list[float] = []
    idlers = {number: HubServer(hub, f"idler{number % AT_ONCE}") for number in range(runs)}

    def run(number: int) -> float:
        # A user's next server, as on the next day.
        return late(hub.start(idlers[number].user, settings=IDLE), tab=number % 2 == 1)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, runs, AT_ONCE):
            delays += pool.map(run, range(first, min(first + AT_ONCE, runs)))
    # Those at work were looked at when they had been there for longer than an idle one may be.
    wait_for(lambda: all(spared(each, age=CULLER + CHECK) or not each.running() for each in working))
    stopped = [each.user for each in working if not each.running()]
    note(f"idle: {len(delays)} servers stopped when they had announced it, and not before")
    note(f"idle: {len(stopped)} of {len(working)} servers at work stopped, timeout {TIMEOUT} s")
    assert stopped == []
    assert len(delays) == runs
    assert all(delay >= 0 for delay in delays), delays
    if PROOF:
        note(
            f"idle: {min(delays):.1f} to {max(delays):.1f} s after the time announced, check interval "
            f"{CHECK} s; in {time.monotonic() - began:.0f} s none at work was stopped"
        )
        assert all(delay <= CHECK for delay in delays), delays
    else:
        assert [record(each)["why"] for each in idlers.values()] == ["idle"] * runs
        assert [each.user for each in idlers.values() if culled(each)] == []
