"""The room put together on a real server, as admins configure it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.hub_api import HubApi
from ..support.server import Platform, Server, running, wait_for
from .test_handlers import execute, idle, start_kernel


@pytest.fixture
def hub() -> Iterator[HubApi]:
    with HubApi() as api:
        yield api


def platform(folder: Path, **environment: str) -> Platform:
    return Platform(folder / "platform", ["https://channel.invalid"], environment=environment)


def source(server: Server, name: str) -> dict[str, Any]:
    return next(each for each in idle(server)["signals"] if each["source"] == name)


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
    with running(platform(tmp_path, **hub.environment, **told)) as server:
        wait_for(lambda: source(server, "processes")["time"] is None)
        works = [sys.executable, "-c", "while True: sum(range(100000))"]
        execute(server, start_kernel(server), f"import subprocess\nsubprocess.Popen({works})")
        began = time.monotonic()
        wait_for(lambda: source(server, "processes")["time"])

    assert time.monotonic() - began < 16


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
