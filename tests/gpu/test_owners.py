"""Who holds the memory and giving it back, over REST: a real server on the simulated driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.demo.driver import SimulatedDriver, a100_mig
from tests.support.gpu import MINE
from tests.support.server import Platform, Server, running, wait_for

GIB = 2**30
MIB = 2**20
SHELL = "--ServerApp.terminado_settings={'shell_command': ['sh', '-c', 'sleep 600 & wait']}"


@pytest.fixture
def server(tmp_path: Path, driver: SimulatedDriver) -> Iterator[Server]:
    platform = Platform(tmp_path / "platform", [], environment={**driver.environment(), **MINE})
    with running(platform, arguments=[SHELL]) as server:
        yield server


def notebook(server: Server, name: str) -> tuple[str, int]:
    """Id and process of the kernel of a new one."""
    session = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    status, body = server.request("POST", "api/sessions", session)
    assert status == 201, body
    kernel = str(body["kernel"]["id"])
    return kernel, wait_for(lambda: child(server.process.pid, lambda called: kernel in called))


def child(parent: int, wanted: Callable[[str], bool]) -> int | None:
    """The child of a process whose command line is wanted."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    for pid in map(int, children.read_text().split()):
        # One that has just ended is nobody's.
        with suppress(FileNotFoundError, ProcessLookupError):
            if wanted(Path(f"/proc/{pid}/cmdline").read_text()):
                return pid
    return None


def rows(server: Server) -> dict[str, dict[str, Any]]:
    """The processes by their owner's title."""
    view = server.get("api/mlinfn/gpu")["view"]
    return {row["owner"]["title"]: row for row in view["processes"]["list"]}


def used(server: Server) -> int:
    (device,) = server.get("api/mlinfn/gpu")["view"]["devices"]
    return int(device["memory_used"])


def test_the_notebook_that_holds_3_gib_is_named_and_gives_it_back(
    server: Server, driver: SimulatedDriver
) -> None:
    idle, _ = notebook(server, "idle.ipynb")
    train, pid = notebook(server, "train.ipynb")
    driver.write(a100_mig({pid: 3 * GIB}, real=True))
    row = wait_for(lambda: rows(server).get("train.ipynb"))
    assert (row["pid"], row["memory"], row["command"]) == (pid, 3 * GIB, "train.ipynb")
    assert row["owner"] == {"kind": "notebook", "id": train, "title": "train.ipynb", "path": "train.ipynb"}
    assert server.get("api/mlinfn/gpu")["view"]["processes"]["other_bytes"] == 13 * MIB

    status, body = server.request("POST", "api/mlinfn/gpu/release", {})
    assert status == 200, body
    assert body == {"shut": [train], "failed": [], "freed_bytes": 3 * GIB, "freed_note": ""}
    assert wait_for(lambda: used(server) == 13 * MIB)
    assert wait_for(lambda: rows(server) == {})
    assert [kernel["id"] for kernel in server.request("GET", "api/kernels")[1]] == [idle]  # type: ignore[index]


def test_a_program_in_a_terminal_is_named_and_never_ended(server: Server, driver: SimulatedDriver) -> None:
    status, terminal = server.request("POST", "api/terminals")
    assert status == 200, terminal
    shell = wait_for(lambda: child(server.process.pid, lambda called: "sleep 600" in called))
    program = wait_for(lambda: child(shell, lambda called: called.startswith("sleep\0")))
    driver.write(a100_mig({program: 2 * GIB}, real=True))
    title = f"Terminal {terminal['name']}"
    row = wait_for(lambda: rows(server).get(title))
    assert (row["owner"]["kind"], row["owner"]["id"], row["command"]) == (
        "terminal",
        terminal["name"],
        "sleep",
    )
    status, body = server.request("POST", "api/mlinfn/gpu/release", {"kernels": [terminal["name"]]})
    assert (status, body["shut"], body["freed_bytes"]) == (200, [], 0)
    assert "no such kernel" in body["failed"][0]["reason"]
    assert title in rows(server)
