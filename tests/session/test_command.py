"""`jupyter mlinfn stop` as a person and as a script use it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..idle.test_handlers import execute, start_kernel
from ..support import command, nursery
from ..support.evidence import shown_if_red
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Process, Server, running, wait_for
from .test_handlers import PAGE, TRAITS, WAITS, answer_question, session

COMMAND = [sys.executable, "-m", "jupyter_mlinfn.cli", "stop"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(Platform(tmp_path / "platform", ["https://channel.invalid"], traits=TRAITS)) as server:
        (server.platform.root / "result\n1.txt").write_text("mine")
        yield server


def start(server: Server, *arguments: str, **streams: Any) -> Process:
    return nursery.start([*COMMAND, *arguments], env=variables(server), cwd=server.platform.root, **streams)


def variables(server: Server) -> Mapping[str, str]:
    return server.platform.variables() | {"COLUMNS": "160"}


def run(server: Server, *arguments: str) -> tuple[int, str, str]:
    done = command.run("stop", *arguments, env=variables(server), cwd=server.platform.root)
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@dataclass
class Asked:
    """The command in a terminal, where it has asked."""

    process: Process
    seen: str
    outer: int

    def answer(self, reply: str) -> int:
        """Its exit code."""
        os.write(self.outer, f"{reply}\n".encode())
        return self.process.wait(PATIENCE)


@contextmanager
def asks(server: Server, *arguments: str) -> Iterator[Asked]:
    """The command in a terminal, until it asks."""
    outer, inner = pty.openpty()
    process = start(server, *arguments, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    seen: list[str] = []
    try:
        with shown_if_red("the command said", seen):
            while "[y/N]" not in "".join(seen):
                # It raises once nobody has the other end any more.
                seen.append(os.read(outer, 4096).decode(errors="replace"))
            yield Asked(process, "".join(seen), outer)
    finally:
        os.close(outer)


def told(server: Server, *expected: str, options: Sequence[str] = ()) -> str:
    """What the command says before it asks, and is told "no": once it has found all of that.

    It gives pages two seconds and all else five, which a busy machine may take: then it is asked again.
    """

    def said() -> str:
        with asks(server, *options) as asked:
            assert session(server)["stop"]["phase"] is None
            assert asked.answer("n") == 1
        return asked.seen if all(each in asked.seen for each in expected) else ""

    return str(wait_for(said))


def test_it_tells_what_would_be_lost_stops_and_says_what_was_kept(server: Server) -> None:
    execute(server, start_kernel(server), "while True: pass")
    copied = "1 file (4 bytes) outside of what lasts are copied to private/rescued"
    # A name is shown in one line.
    told(server, "is running a cell", copied, "result\\n1.txt")
    code, out, error = run(server, "--yes")
    server.process.wait(PATIENCE)

    assert (code, server.process.returncode) == (0, 0), error
    assert "is running a cell" in out
    assert "1 file (4 bytes) kept in private/rescued/" in out


def test_on_a_terminal_it_asks(server: Server) -> None:
    told(server, "will be lost", options=("--no-keep",))
    with asks(server, "--no-keep") as asked:
        assert session(server)["stop"]["phase"] is None
        assert asked.answer("y") == 0
    server.process.wait(PATIENCE)

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
    with waits_for_cells(server, tmp_path / "called off") as waits:
        assert run(server, "--cancel")[:2] == (0, "The stop is called off.\n")
    assert waits.process.returncode == 1
    assert "Waits for" in waits.out()
    assert "called off" in waits.error()
    assert run(server, "--cancel")[:2] == (0, "Nothing was being stopped.\n")

    with waits_for_cells(server, tmp_path / "finished") as waits:
        go.touch()
    assert waits.process.returncode == 0
    assert "The server has stopped." in waits.out()
    assert server.process.wait(PATIENCE) == 0


@dataclass
class Waits:
    process: Process
    folder: Path

    def out(self) -> str:
        return (self.folder / "out").read_text()

    def error(self) -> str:
        return (self.folder / "error").read_text()


@contextmanager
def waits_for_cells(server: Server, folder: Path) -> Iterator[Waits]:
    """The command that waits for cells, from when it has said so to its end."""
    folder.mkdir()
    with (folder / "out").open("wb") as out, (folder / "error").open("wb") as error:
        process = start(
            server, "--yes", "--when-finished", stdin=subprocess.DEVNULL, stdout=out, stderr=error
        )
    waits = Waits(process, folder)
    with shown_if_red("the command said", folder / "out"), shown_if_red("and of errors", folder / "error"):
        wait_for(lambda: "Waits for" in waits.out())
        assert session(server)["stop"]["phase"] == "waiting"
        yield waits
        process.wait(PATIENCE)


def test_unsaved_documents_and_pages_that_are_asleep_are_named(server: Server) -> None:
    for page in (PAGE["page"], "a-page-that-sleeps"):
        server.request("POST", "api/mlinfn/idle/page", {"page": page, "visible": False})
    over = threading.Event()

    def answers() -> None:
        """What the page does that is awake."""
        answered = None
        while not over.wait(0.02):
            if (asked := server.get("api/mlinfn/idle")["asked"]) not in (None, answered):
                answer_question(server, "a.ipynb")
                answered = asked

    with ThreadPoolExecutor(1) as page:
        page_is_there = page.submit(answers)
        try:
            told(server, "1 document with unsaved changes: a.ipynb", "1 page did not answer")
        finally:
            over.set()
    page_is_there.result()


@pytest.mark.parametrize("arguments", [["--keep"], ["--keep", "a", "--no-keep"], ["now"]])
def test_what_cannot_be_meant_is_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = command.run("stop", *arguments, env=Platform(tmp_path / "platform", []).variables())

    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    """As a person starts it, with all that costs."""
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
