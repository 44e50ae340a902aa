"""``jupyter mlinfn storage rescue`` in a terminal of a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support import command
from ...support.server import Platform, Server, running
from .support import check_sums


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    traits = {"persistent_folders": ["private"], "ephemeral_folders": ["."]}
    with running(Platform(tmp_path / "platform", [], traits=traits)) as server:
        yield server


def rescue(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables, root = server.platform.variables(), server.platform.root
    return command.run("storage", "rescue", *arguments, env=variables, cwd=root)


def test_from_a_terminal(server: Server) -> None:
    root = server.platform.root
    nothing = rescue(server)
    assert (nothing.returncode, nothing.stdout) == (0, "There is nothing that would be lost.\n")

    (root / "work").mkdir()
    (root / "work" / "a.txt").write_text("a" * 2000)
    (root / "b\nb").write_text("b")
    done = rescue(server)
    assert done.returncode == 0, done.stderr
    assert "Kept: 2 files (2.0 kB) in private/rescued/20" in done.stdout
    assert "sha256sum -c SHA256SUMS" in done.stdout
    folder = root / done.stdout.split(" in ")[1].splitlines()[0]
    assert check_sums(folder) == 2

    chosen = rescue(server, "--json", "--except", "work/a.txt", "work", "nowhere")
    assert chosen.returncode == 1
    result = json.loads(chosen.stdout)["job"]["result"]
    assert (result["files"], result["folder"]) == (0, None)
    assert [(Path(each["path"]).name, each["reason"]) for each in result["left"]] == [
        ("nowhere", "It is not there, or no longer.")
    ]

    named = rescue(server, "b\nb", "gone\n")
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
