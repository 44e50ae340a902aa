"""`jupyter mlinfn env …` as a person and as a script use it: real processes, exit codes, nothing left."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .support import command, nursery
from .support.channel_server import ChannelServer
from .support.evidence import shown_if_red
from .support.packages import Channel, Package, tiny_kernel_stack
from .support.patience import PATIENCE
from .support.server import Platform
from .support.slim_channel import build_slim_channel

COMMAND = [sys.executable, "-m", "jupyter_mlinfn.cli", "env"]


@pytest.fixture(scope="module")
def slim_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_slim_channel(tmp_path_factory.mktemp("slim") / "channel")


@pytest.fixture
def channel(slim_channel: Path) -> Iterator[ChannelServer]:
    with ChannelServer(slim_channel) as server:
        yield server


@pytest.fixture
def platform(tmp_path: Path, channel: ChannelServer) -> Platform:
    return with_channel(tmp_path, channel.url)


@pytest.fixture
def real_platform(tmp_path: Path, demo_channel: Path) -> Platform:
    """Whose environments have a Python of their own."""
    return with_channel(tmp_path, demo_channel.as_uri())


def with_channel(folder: Path, url: str) -> Platform:
    platform = Platform(folder / "platform", [url])
    platform.write_config()
    return platform


def run(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command.run("env", *arguments, env=platform.variables(), cwd=platform.root)


def run_as_people_do(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In an interpreter of its own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=platform.variables(),
        cwd=platform.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_create_list_show_delete(platform: Platform) -> None:
    created = run(platform, "create", "thesis", "mlinfn-plots", "--label", "My thesis")
    listed = run_as_people_do(platform, "list")
    as_json = run(platform, "show", "thesis", "--json")
    shown = run(platform, "show", "thesis")
    assert list(platform.kernels.glob("conda-env-thesis-py"))
    deleted = run(platform, "delete", "thesis")

    assert created.returncode == 0, created.stderr
    assert "thesis is ready in private/environments/thesis" in created.stdout
    assert "conda-env-thesis-py" in created.stdout
    assert listed.stdout.split("\t")[:2] == ["thesis", "private"]
    details = json.loads(as_json.stdout)
    assert details["environment"]["label"] == "My thesis"
    assert "mlinfn-plots" in [package["name"] for package in details["packages"]]
    assert "Kernels: conda-env-thesis-py" in shown.stdout
    assert deleted.returncode == 0
    assert "came back" in deleted.stdout
    assert not (platform.environments / "thesis").exists()
    assert not list(platform.kernels.glob("conda-env-thesis-py"))


def test_a_dry_run_changes_nothing(real_platform: Platform) -> None:
    platform = real_platform
    done = run(platform, "create", "thesis", "mlinfn-plots", "--dry-run", "--json")

    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["added_specs"] == ["ipykernel"]
    assert plan["package_count"] == len(plan["packages"]) > 20
    assert not (platform.environments / "thesis").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create"], 2, "NAME"),
        (["create", "../escape"], 2, "begins with '.'"),
        (["create", "Upper"], 2, "upper-case"),
        (["create", "x", "mlinfn-plotz"], 1, "no package mlinfn-plotz"),
        (["create", "x", "mlinfn-plots=1", "mlinfn-colours=2"], 1, "do not go together"),
        (["create", "x", "-c", "http://127.0.0.1:9/nothing"], 1, "127.0.0.1:9"),
        (["show", "nosuch"], 1, "no environment 'nosuch'"),
        (["delete", "nosuch"], 1, "no environment 'nosuch'"),
        (["lst"], 2, "invalid choice"),
    ],
)
def test_what_fails_says_so_with_its_exit_code(
    platform: Platform, arguments: list[str], code: int, said: str
) -> None:
    done = run(platform, *arguments)

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [e for e in platform.environments.glob("*") if e.name != ".mlinfn"] == []


def test_an_error_is_json_where_that_was_asked_for(platform: Platform) -> None:
    done = run(platform, "create", "x", "mlinfn-plotz", "--json")

    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["fields"]["specs"][0]["suggestions"][0] == "mlinfn-plots"


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_ctrl_c_leaves_nothing_behind(
    platform: Platform, channel: ChannelServer, tmp_path: Path, signals: list[signal.Signals]
) -> None:
    channel.faults["mlinfn-plots"] = "stall"
    said = tmp_path / "said"
    with said.open("wb") as stderr, shown_if_red("the command said", said):
        process = nursery.start(
            [*COMMAND, "create", "thesis", "mlinfn-plots"],
            env=platform.variables(),
            cwd=platform.root,
            stderr=stderr,
            start_new_session=True,
        )
        assert channel.hanging.wait(PATIENCE)
        for each in signals:
            process.send_signal(each)
        assert process.wait(PATIENCE) == 1

    assert "Stopped." in said.read_text()
    assert "Traceback" not in said.read_text()
    assert [e.name for e in platform.environments.iterdir() if e.name != ".mlinfn"] == []


def test_an_environment_with_a_process_in_it_is_not_removed_unasked(real_platform: Platform) -> None:
    platform = real_platform
    assert run(platform, "create", "busy").returncode == 0
    python = platform.environments / "busy" / "bin" / "python"
    with subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE) as process:
        refused = run(platform, "delete", "busy")
        assert refused.returncode == 1
        assert str(process.pid) in refused.stderr
        assert python.exists()
        assert run(platform, "delete", "busy", "--force").returncode == 0
        process.kill()
    assert not python.exists()


def test_a_terminal_shows_a_bar(tmp_path: Path) -> None:
    folder = Channel(tmp_path / "channel")
    for package in (*tiny_kernel_stack(), Package("large", files={"share/large": os.urandom(4_000_000)})):
        folder.add(package)
    folder.write()
    with ChannelServer(folder.folder) as channel:
        channel.faults["large"] = "quarters"
        platform = with_channel(tmp_path, channel.url)
        parent, child = pty.openpty()
        process = nursery.start(
            [*COMMAND, "create", "thesis", "large"],
            env=platform.variables() | {"TERM": "xterm", "COLUMNS": "100"},
            cwd=platform.root,
            stdin=subprocess.DEVNULL,
            stdout=child,
            stderr=child,
        )
        os.close(child)
        shown: list[str] = []
        with shown_if_red("the terminal showed", shown):
            # A quarter of it is there, and no more comes.
            read_terminal(parent, shown, lambda text: "downloading" in text and "MB of" in text)
            channel.step.release(3)
            read_terminal(parent, shown, lambda _: False)
        assert process.wait(PATIENCE) == 0
    os.close(parent)

    assert "1.1 MB of 4.1 MB" in "".join(shown)
    assert "thesis is ready" in "".join(shown)


def read_terminal(descriptor: int, shown: list[str], enough: Callable[[str], bool]) -> None:
    """Until it is enough, or the other end is closed."""
    while not enough("".join(shown)):
        assert select.select([descriptor], [], [], PATIENCE)[0], "nothing more was shown"
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # Linux says EIO when nobody has the other end open any more.
            return
        if not piece:
            return
        shown.append(piece.decode(errors="replace"))
