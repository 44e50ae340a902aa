"""`jupyter mlinfn demo`, as a person runs it: laid out, served, ended with Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_mlinfn.demo.channel_check import answering_channels
from jupyter_mlinfn.demo.layout import lay_out
from jupyter_mlinfn.demo.server import choose_port
from jupyter_mlinfn.errors import BadInputError
from tests.support.server import hear_ends

from ..support.evidence import shown_if_red
from ..support.patience import PATIENCE
from ..support.ports import reserved_port
from ..support.slim_channel import build_slim_channel


@pytest.fixture(scope="module")
def slim_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For demos of which nobody uses the environment."""
    return build_slim_channel(tmp_path_factory.mktemp("channels") / "slim")


@contextmanager
def _demo(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The running command, the address that it printed, and the lines before."""
    # The cache stays the user's: there the channel was built for all tests.
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": cache, "TMPDIR": str(home)}
    command = [sys.executable, "-m", "jupyter_mlinfn.cli", "demo", "--no-browser", *options]
    with (
        ExitStack() as said,
        reserved_port() as port,
        subprocess.Popen(
            [*command, f"--port={port}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=hear_ends,
        ) as process,
    ):
        assert process.stdout is not None
        lines: list[str] = []
        try:
            said.enter_context(shown_if_red("the demo said", lines))
            for line in process.stdout:
                lines.append(line)
                if "JupyterLab is on " in line:
                    yield process, line.split()[-1], lines
                    break
            else:
                pytest.fail("".join(lines))
        finally:
            if process.poll() is None:
                process.kill()


def _ask(address: str, path: str) -> Any:
    parts = urlsplit(address)
    token = parse_qs(parts.query)["token"][0]
    request = urllib.request.Request(
        f"{parts.scheme}://{parts.netloc}/{path}", headers={"Authorization": f"token {token}"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def test_a_demo_is_served_and_ends_without_a_trace(demo_channel: Path, tmp_path: Path) -> None:
    with _demo(tmp_path, "--offline") as (process, address, _):
        environments = _ask(address, "api/mlinfn/envs")["environments"]
        assert [(found["name"], found["origin"]) for found in environments] == [("physics", "shared")]
        assert {path["name"] for path in _ask(address, "api/contents")["content"]} == {
            "README.md",
            "private",
            "shared",
        }
        folders = list(tmp_path.glob("mlinfn-demo-*"))
        assert len(folders) == 1
        physics = folders[0] / "envs" / "physics"
        hold = [physics / "bin" / "python", "-c", "import mlinfn_gpu; mlinfn_gpu.hold(gib=1)"]
        refused = subprocess.run(hold, capture_output=True, text=True)
        assert "There is no simulated GPU here" in refused.stderr  # it is the demo's server that has it
        assert not physics.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert list(tmp_path.glob("mlinfn-demo-*")) == []


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_however_it_is_ended_no_server_is_left(
    slim_channel: Path, tmp_path: Path, end: signal.Signals
) -> None:
    with _demo(tmp_path, "--channel", slim_channel.as_uri()) as (process, address, _):
        assert len(list(tmp_path.glob("mlinfn-demo-*"))) == 1
        assert _ask(address, "api/status")["started"]
        process.send_signal(end)
        assert process.wait(PATIENCE) == 0
        with pytest.raises(urllib.error.URLError, match="refused"):
            _ask(address, "api/status")
    assert list(tmp_path.glob("mlinfn-demo-*")) == []


def test_a_kept_demo_is_taken_up_again(slim_channel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for first in (True, False):
        with _demo(tmp_path, "--dir", str(folder), "--channel", slim_channel.as_uri()) as (process, _, lines):
            assert any("is made" in line for line in lines) == first
            assert (folder / "work/private/note.txt").exists() is not first
            assert not (folder / "work/lost.txt").exists()
            (folder / "work/private/note.txt").write_text("kept")
            (folder / "work/lost.txt").write_text("ephemeral")
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
    assert (folder / "envs/physics/bin/python").exists()


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    precious = tmp_path / "work" / "thesis.tex"
    precious.write_text("years")
    with pytest.raises(BadInputError, match="not of a demo"):
        lay_out(tmp_path)
    assert precious.read_text() == "years"
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_a_taken_port_is_refused_and_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInputError, match="is taken"):
            choose_port(port)
    assert 8888 <= choose_port(None) < 9088


def test_a_silent_channel_is_told(demo_channel: Path, tmp_path: Path) -> None:
    urls, problem = answering_channels([demo_channel.as_uri()])
    assert (urls, problem) == ([demo_channel.as_uri()], None)
    gone = (tmp_path / "gone").as_uri()
    _, problem = answering_channels([demo_channel.as_uri(), gone])
    assert problem == f"The channel {gone} does not answer."
    with reserved_port() as port:
        _, problem = answering_channels([f"http://127.0.0.1:{port}/nobody"])
    assert problem == f"The channel http://127.0.0.1:{port}/nobody does not answer."
