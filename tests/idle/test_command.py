"""`jupyter mlinfn idle` as a person and as a script use it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_mlinfn.idle.room import PID_VARIABLE
from jupyter_mlinfn.own_server import OwnServer

from ..support import command
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running
from .test_handlers import environment_of

TRAITS = {"idle_timeout": 3600.0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Somebody may have asked to keep it."""
    platform = Platform(
        tmp_path_factory.mktemp("idle") / "platform", ["https://channel.invalid"], traits=TRAITS
    )
    with running(platform) as server:
        yield server


def run(server: Server, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return command.run("idle", *arguments, env=variables(server) | environment)


def variables(server: Server) -> dict[str, str]:
    return server.platform.variables() | {"COLUMNS": "160"}


def test_it_says_when_this_server_stops_and_why(tmp_path: Path) -> None:
    """As it is started by a person."""
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"], traits=TRAITS)
    with running(platform) as server:
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_mlinfn.cli", "idle"],
            env=variables(server),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert "This server stops at" in done.stdout
    assert "unless it is used" in done.stdout
    assert "This server started." in done.stdout
    assert "nothing has happened for 1 h" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


def test_it_keeps_the_server(server: Server) -> None:
    done = run(server, "keep", "2h")

    assert done.returncode == 0, done.stderr
    assert "Kept until" in done.stdout
    kept = server.get("api/mlinfn/idle")
    assert kept["kept_until"] == kept["next"]["time"]


@pytest.mark.parametrize("arguments", [["--json"], ["keep", "90", "--json"], ["--json", "keep", "90"]])
def test_programs_read_json(server: Server, arguments: list[str]) -> None:
    done = run(server, *arguments)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["policy"]["timeout"] == 3600


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["keep"], "duration"),
        (["keep", "soon"], "no duration"),
        (["keep", "0"], "between"),
        (["keep", "8d"], "between"),
        (["keep", "13h"], "12 h"),
    ],
)
def test_what_cannot_be_meant_is_usage(server: Server, arguments: list[str], words: str) -> None:
    done = run(server, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_server_it_says_so(server: Server, tmp_path: Path) -> None:
    done = run(server, JUPYTER_RUNTIME_DIR=str(tmp_path))

    assert done.returncode == 1
    assert "was not found" in done.stderr
    assert "terminal of JupyterLab" in done.stderr


def test_of_several_servers_it_asks_its_own(server: Server, tmp_path: Path) -> None:
    other = Platform(tmp_path / "other", ["https://channel.invalid"])
    other.environment = {"JUPYTER_RUNTIME_DIR": str(server.platform.folder / "runtime")}
    with running(other) as second:
        undecided = run(server, "--json")
        told = [
            json.loads(run(server, "--json", **{PID_VARIABLE: str(each.process.pid)}).stdout)
            for each in (server, second)
        ]

    assert undecided.returncode == 1
    assert "2 of yours run here" in undecided.stdout
    assert [each["policy"]["timeout"] for each in told] == [3600, None]


def test_children_of_a_server_are_told_whose_they_are(server: Server) -> None:
    status, kernel = server.request("POST", "api/kernels", {"name": "python3"})
    assert status == 201, kernel
    children = psutil.Process(server.process.pid).children(recursive=True)
    # One that ends just now has none.
    environments = [found for each in children if (found := environment_of(each))]

    assert environments
    assert all(each.get(PID_VARIABLE) == str(server.process.pid) for each in environments)


def test_the_token_is_not_shown_by_accident() -> None:
    assert TOKEN not in repr(OwnServer("http://127.0.0.1:1", TOKEN))
