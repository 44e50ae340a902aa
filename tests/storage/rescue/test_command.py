"""``jupyter mlinfn storage rescue`` in a terminal of a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support.patience import PATIENCE
from ...support.server import Platform, Server, running
from .support import check_sums


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    traits = {"persistent_folders": ["private"], "ephemeral_folders": ["."]}
    with running(Platform(tmp_path_factory.mktemp("platform"), [], traits=traits)) as server:
        yield server


def command(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_mlinfn.cli", "storage", "rescue", *arguments],
        cwd=server.platform.root,
        env=server.platform.variables(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_from_a_terminal(server: Server) -> None:
    root = server.platform.root
    nothing = command(server)
    assert (nothing.returncode, nothing.stdout) == (0, "There is nothing that would be lost.\n")

    (root / "work").mkdir()
    (root / "work" / "a.txt").write_text("a" * 2000)
    (root / "b\nb").write_text("b")
    done = command(server)
    assert done.returncode == 0, done.stderr
    assert "Kept: 2 files (2.0 kB) in private/rescued/20" in done.stdout
    assert "sha256sum -c SHA256SUMS" in done.stdout
    folder = root / done.stdout.split(" in ")[1].splitlines()[0]
    assert check_sums(folder) == 2

    chosen = command(server, "--json", "--except", "work/a.txt", "work", "nowhere")
    assert chosen.returncode == 1
    result = json.loads(chosen.stdout)["job"]["result"]
    assert (result["files"], result["folder"]) == (0, None)
    assert [(Path(each["path"]).name, each["reason"]) for each in result["left"]] == [
        ("nowhere", "It is not there, or no longer.")
    ]

    named = command(server, "b\nb", "gone\n")
    assert named.returncode == 1
    assert "Not kept: 1 file" in named.stdout
    assert "gone\\n: It is not there" in named.stdout


def test_over_rest(server: Server) -> None:
    status, body = server.request("POST", "api/mlinfn/storage/rescue", {"paths": []})
    assert (status, body["kind"]) == (400, "BadInputError")
    (server.platform.root / "c").write_text("c")
    status, body = server.request("POST", "api/mlinfn/storage/rescue", {"paths": ["c"], "except": []})
    assert status == 202
    result = server.ended(body["job"]["id"])["result"]
    assert (result["files"], result["left_count"]) == (1, 0)
    told = server.get("api/mlinfn/storage")["rescue"]
    assert told["last"]["folder"] == result["folder"]
    assert told["possible"] is True
