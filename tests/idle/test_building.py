"""The room put together on a real server, as admins configure it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket

from ..support.hub_api import HubApi
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for
from ..support.turned import by_our_clock, pass_time
from .test_handlers import idle, signal_of, start_kernel


@pytest.fixture
def hub() -> Iterator[HubApi]:
    with HubApi() as api:
        yield api


def platform(folder: Path, **environment: str) -> Platform:
    return Platform(folder / "platform", ["https://channel.invalid"], environment=environment)


def source(server: Server, name: str) -> dict[str, Any]:
    return signal_of(idle(server), name)


def works_in_a_terminal(server: Server) -> psutil.Process:
    """A program that somebody has started there, and that computes."""
    status, terminal = server.request("POST", "api/terminals", {})
    assert status == 200, terminal
    code = "while True: sum(range(100000))"
    with closing(
        websocket.create_connection(
            server.url.replace("http", "ws") + f"/terminals/websocket/{terminal['name']}",
            header=[f"Authorization: token {TOKEN}"],
            timeout=PATIENCE,
        )
    ) as typed:
        typed.send(json.dumps(["stdin", f"{sys.executable} -c '{code}'\r"]))

        def started() -> psutil.Process | None:
            children = psutil.Process(server.process.pid).children(recursive=True)
            with suppress(psutil.NoSuchProcess):
                return next((each for each in children if each.cmdline()[-1:] == [code]), None)
            return None

        found: psutil.Process = wait_for(started)
        return found


def test_a_hub_of_which_nothing_is_known_is_told_and_warns_of_nothing(hub: HubApi, tmp_path: Path) -> None:
    with running(platform(tmp_path, **hub.environment)) as server:
        wait_for(lambda: hub.told)
        answer = idle(server)

    assert (answer["phase"], answer["next"], answer["warning"]) == ("unlimited", None, None)
    assert answer["policy"]["timeout"] is None


def test_work_is_seen_in_time_for_a_culler_where_there_is_no_other_timeout(
    hub: HubApi, tmp_path: Path
) -> None:
    told = {"MLINFN_HUB_CULL_TIMEOUT": "16", "MLINFN_HUB_CULL_EVERY": "1"}
    with by_our_clock(platform(tmp_path, **hub.environment, **told), lab=False) as server:
        assert source(server, "processes")["time"] is None
        program = works_in_a_terminal(server)
        passed = 0
        while not (seen := source(server, "processes"))["time"]:
            # So much of a core in each second that passes.
            before = sum(program.cpu_times()[:2])
            wait_for(lambda before=before: sum(program.cpu_times()[:2]) >= before + 0.2)
            assert passed < 16
            pass_time(server, 1)
            passed += 1

    assert f"(process {program.pid})" in seen["detail"]


def test_kernels_that_are_culled_are_told_by_their_notebooks(tmp_path: Path) -> None:
    culling = ["--MappingKernelManager.cull_idle_timeout=3600"]
    with running(platform(tmp_path), arguments=culling) as server:
        start_kernel(server)
        body = {"path": "work/train.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        assert server.request("POST", "api/sessions", body)[0] == 201
        details = [each["detail"] for each in idle(server)["deadlines"]]

    assert sorted(each.partition(" after ")[0] for each in details) == [
        "Jupyter Server shuts a kernel (python3)",
        "Jupyter Server shuts the kernel of train.ipynb",
    ]
