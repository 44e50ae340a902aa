"""`jupyter mlinfn stop` as a person and as a script use it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ..idle.test_handlers import execute, start_kernel
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for
from .test_handlers import PAGE, TRAITS, WAITS, answer_question, session

COMMAND = [sys.executable, "-m", "jupyter_mlinfn.cli", "stop"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(Platform(tmp_path / "platform", ["https://channel.invalid"], traits=TRAITS)) as server:
        (server.platform.root / "result\n1.txt").write_text("mine")
        yield server


def start(server: Server, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=variables(server),
        cwd=server.platform.root,
        text=True,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


def variables(server: Server) -> Mapping[str, str]:
    return server.platform.variables() | {"COLUMNS": "160"}


def run(server: Server, *arguments: str) -> tuple[int, str, str]:
    process = start(server, *arguments)
    out, error = process.communicate(timeout=PATIENCE)
    assert TOKEN not in out + error
    assert "Traceback" not in error
    return process.returncode, out, error


def test_it_tells_what_would_be_lost_stops_and_says_what_was_kept(server: Server) -> None:
    execute(server, start_kernel(server), "while True: pass")
    code, out, error = run(server, "--yes")
    server.process.wait(PATIENCE)

    assert (code, server.process.returncode) == (0, 0), error
    assert "is running a cell" in out
    assert "1 file (4 bytes) outside of what lasts are copied to private/rescued" in out
    # A name is shown in one line.
    assert "result\\n1.txt" in out
    assert "1 file (4 bytes) kept in private/rescued/" in out


def test_on_a_terminal_it_asks(server: Server) -> None:
    for reply, code in ((b"n\n", 1), (b"y\n", 0)):
        outer, inner = pty.openpty()
        process = start(server, "--no-keep", stdin=inner, stdout=inner, stderr=inner)
        os.close(inner)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(outer, 4096)
        assert session(server)["stop"]["phase"] is None
        os.write(outer, reply)
        assert process.wait(PATIENCE) == code, seen
        os.close(outer)
    server.process.wait(PATIENCE)

    assert b"will be lost" in seen
    assert not (server.platform.root / "private" / "rescued").exists()


def test_where_nobody_can_be_asked_it_stops_nothing(server: Server) -> None:
    code, _, error = run(server)

    assert code == 2
    assert "--yes" in error
    assert session(server)["stop"]["phase"] is None


def test_a_name_that_is_not_there_stops_nothing(server: Server) -> None:
    code, _, error = run(server, "--yes", "--keep", "resluts.txt")

    assert code == 2
    assert "there is no resluts.txt" in error
    assert session(server)["stop"]["phase"] is None


def test_programs_read_json_and_choose_files(server: Server) -> None:
    (server.platform.root / "other.txt").write_text("other")
    code, out, _ = run(server, "--json", "--yes", "--no-save", "--keep", "other.txt")
    told = json.loads(out)

    assert code == 0
    assert told["stopped"]
    assert told["record"]["rescue"]["files"] == 1


def test_it_waits_for_cells_and_is_called_off_from_another_terminal(server: Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    execute(server, start_kernel(server), WAITS.format(str(go)))
    waits = start(server, "--yes", "--when-finished")
    wait_for(lambda: session(server)["stop"]["phase"] == "waiting")
    code, out, _ = run(server, "--cancel")
    assert (code, out) == (0, "The stop is called off.\n")
    out, error = waits.communicate(timeout=PATIENCE)
    assert waits.returncode == 1
    assert "Waits for" in out
    assert "called off" in error
    assert run(server, "--cancel")[:2] == (0, "Nothing was being stopped.\n")
    waits = start(server, "--yes", "--when-finished")
    wait_for(lambda: session(server)["stop"]["phase"] == "waiting")
    go.touch()

    out, _ = waits.communicate(timeout=PATIENCE)
    assert waits.returncode == 0
    assert "The server has stopped." in out
    assert server.process.wait(PATIENCE) == 0


def test_unsaved_documents_and_pages_that_are_asleep_are_named(server: Server) -> None:
    for page in (PAGE["page"], "a-page-that-sleeps"):
        server.request("POST", "api/mlinfn/idle/page", {"page": page, "visible": False})
    outer, inner = pty.openpty()
    process = start(server, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    wait_for(lambda: server.get("api/mlinfn/idle")["asked"])
    answer_question(server, "a.ipynb")
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(outer, 4096)
    os.write(outer, b"n\n")
    assert process.wait(PATIENCE) == 1
    os.close(outer)

    assert b"1 document with unsaved changes: a.ipynb" in seen
    assert b"1 page did not answer" in seen


@pytest.mark.parametrize("arguments", [["--keep"], ["--keep", "a", "--no-keep"], ["now"]])
def test_what_cannot_be_meant_is_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=Platform(tmp_path / "platform", []).variables(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 2


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--yes"],
        env=Platform(tmp_path / "platform", []).variables(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 1
    assert "was not found" in done.stderr
