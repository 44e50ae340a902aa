"""What runs in terminals, of real shells on real pseudo-terminals."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from ptyprocess import PtyProcess

from jupyter_mlinfn.session.terminals import programs

from ..support.patience import PATIENCE
from ..support.server import wait_for


@dataclass(frozen=True)
class Terminal:
    pid: int | None
    id: str = "1"
    title: str = "Terminal 1"


Opens = Callable[..., Terminal]


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Opens]:
    """Opens a terminal in which lines are typed."""
    shells = []

    def open_one(*lines: str) -> Terminal:
        shell = PtyProcess.spawn(["bash", "--norc", "--noprofile", "-i"], cwd=str(tmp_path))
        shells.append(shell)
        for line in lines:
            shell.write(line.encode() + b"\n")
        return Terminal(shell.pid)

    yield open_one
    for shell in shells:
        shell.kill(signal.SIGKILL)
        shell.close(force=True)


def names(terminal: Terminal) -> list[str]:
    return [name for each in programs([terminal]) for name in each["programs"]]


def wait_for_programs(terminal: Terminal, *expected: str) -> None:
    """Until the system itself has these below the shell, and no copy of the shell that is to become one."""

    def seen() -> list[str]:
        try:
            below = psutil.Process(terminal.pid).children(recursive=True)
            return sorted(each.name() for each in below)
        except psutil.NoSuchProcess:
            return []

    wait_for(lambda: seen() == sorted(expected))


def test_a_shell_that_waits_runs_nothing(opens: Opens, tmp_path: Path) -> None:
    terminal = opens(": > up")
    wait_for((tmp_path / "up").exists)

    assert programs([terminal]) == []


def test_a_program_is_named(opens: Opens) -> None:
    terminal = opens("sleep 600")
    wait_for_programs(terminal, "sleep")

    assert programs([terminal]) == [{"name": "1", "title": "Terminal 1", "programs": ["sleep"]}]


@pytest.mark.parametrize("interpreter", ["bash", "python"])
def test_a_script_is_named_by_its_file(opens: Opens, tmp_path: Path, interpreter: str) -> None:
    (tmp_path / "train.sh").write_text(": > up; sleep 600; true")
    (tmp_path / "train.py").write_text("import time; open('up', 'w'); time.sleep(600)")
    ending = "sh" if interpreter == "bash" else "py"
    program = "bash" if interpreter == "bash" else sys.executable
    terminal = opens(f"{program} ./train.{ending}")
    wait_for((tmp_path / "up").exists)
    found = names(terminal)

    assert len(found) == 1
    assert found[0].startswith(interpreter)
    assert found[0].endswith(f" train.{ending}")


def test_a_shell_in_the_shell_is_looked_into(opens: Opens) -> None:
    terminal = opens("sh", "sleep 600 & sleep 601")
    wait_for_programs(terminal, "sh", "sleep", "sleep")

    assert names(terminal) == ["sleep"]


def test_jobs_in_the_background_count(opens: Opens) -> None:
    terminal = opens("sleep 600 &", "tail -f /dev/null &")
    wait_for_programs(terminal, "sleep", "tail")

    assert sorted(names(terminal)) == ["sleep", "tail"]


def test_who_asks_for_the_stop_is_no_work(opens: Opens, tmp_path: Path) -> None:
    script = tmp_path / "jupyter-mlinfn"
    script.write_text(f"#!{sys.executable}\nimport time; open('up', 'w'); time.sleep(600)\n")
    script.chmod(0o755)
    terminal = opens("./jupyter-mlinfn stop")
    wait_for((tmp_path / "up").exists)

    assert programs([terminal]) == []


def test_a_terminal_that_is_gone_is_left_out() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait(PATIENCE)

    assert programs([Terminal(gone.pid), Terminal(None)]) == []
