"""The room on a real server, from a browser's side and from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import websocket

from jupyter_mlinfn.events import STORAGE

from ..support import command
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("storage") / "platform"
    platform = Platform(
        folder,
        ["https://channel.invalid"],
        # The disk of the tests is one; the rules for it are tested in test_machines.
        traits={"ephemeral_folders": ["."], "persistent_folders": ["private", "shared"]},
    )
    with running(platform) as server:
        yield server


@pytest.fixture
def folder(server: Server, request: pytest.FixtureRequest) -> Path:
    folder = server.platform.root.resolve() / request.node.name.partition("[")[0]
    folder.mkdir(exist_ok=True)
    return folder


def counted(server: Server) -> dict[str, Any]:
    status, answer = server.request("POST", "api/mlinfn/storage/count", {})
    assert status == 202, answer

    def known() -> dict[str, Any] | None:
        found = dict(server.get("api/mlinfn/storage")["ephemeral"])
        return None if found["state"] == "counting" else found

    return dict(wait_for(known))


def get(server: Server, path: str) -> tuple[int, dict[str, Any]]:
    return server.request("GET", f"api/mlinfn/storage/{path}")


def test_what_lasts(server: Server) -> None:
    answer = server.get("api/mlinfn/storage")
    told = {each["root_path"]: each for each in answer["volumes"]}

    assert told[""]["persistence"] == "ephemeral"
    assert told["private"]["persistence"] == "lasts"
    assert told["private"]["free_bytes"] > 0
    assert answer["private"]["root_path"] == "private"


def test_new_files_are_counted_and_pages_are_told_to_read_again(server: Server, folder: Path) -> None:
    (folder / "results.csv").write_text("x" * 1000)
    (folder / "a\nb.bin").write_bytes(b"x")
    (server.platform.root / "private" / "kept.txt").write_text("x")
    url = server.url.replace("http", "ws") + "/api/events/subscribe"
    header = [f"Authorization: token {TOKEN}"]
    with closing(websocket.create_connection(url, header=header, timeout=PATIENCE)) as told:
        found = counted(server)
        while json.loads(told.recv())["schema_id"] != STORAGE:
            pass

    assert found["state"] == "known"
    files = {each["path"]: each for each in found["biggest"]}
    assert files[str(folder / "results.csv")]["size"] == 1000
    assert str(folder / "a\nb.bin") in files
    assert not any("private" in each for each in files)
    assert {"path": str(folder), "files": 2, "bytes": 1001} in found["folders"]


def test_files_of_a_folder(server: Server, folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "x").write_text("xx")
    (folder / "y").write_text("y")
    status, answer = get(server, f"files?folder={quote(str(folder))}")

    assert status == 200
    assert [each["root_path"] for each in answer["files"]] == [f"{folder.name}/y"]
    assert answer["folders"] == [{"path": str(folder / "deep"), "files": 1, "bytes": 2}]


@pytest.mark.parametrize(
    ("folder", "status"),
    [("", 400), ("/etc", 400), ("../..", 400), ("{root}/private", 400), ("{root}/no", 404)],
)
def test_other_folders_are_not_listed(server: Server, folder: str, status: int) -> None:
    found, answer = get(server, f"files?folder={quote(folder.format(root=server.platform.root.resolve()))}")

    assert found == status
    assert answer["message"]


@pytest.mark.parametrize(
    ("path", "persistence"),
    [
        ("", "ephemeral"),
        ("notebook.ipynb", "ephemeral"),
        ("private/new/notebook.ipynb", "lasts"),
        ("RTC:notebook.ipynb", "unknown"),
    ],
)
def test_places(server: Server, path: str, persistence: str) -> None:
    status, answer = get(server, f"place?path={quote(path)}")

    assert (status, answer["persistence"], answer["path"]) == (200, persistence, path)
    assert answer["private"]["root_path"] == "private"


def test_a_path_that_leads_out_is_refused(server: Server) -> None:
    status, answer = get(server, "place?path=../x")

    assert status == 400
    assert answer["hint"]


def run(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = server.platform.variables() | {"COLUMNS": "200"}
    return command.run("storage", *arguments, env=variables, cwd=server.platform.root)


def test_a_terminal_is_told_the_same(server: Server, folder: Path) -> None:
    (folder / "model\x1b[31m.pt").write_bytes(b"x" * 5000)
    (folder / os.fsdecode(b"\xff")).write_bytes(b"x" * 4000)
    done = run(server)

    assert done.returncode == 0, done.stderr
    assert "private" in done.stdout
    assert "lasts" in done.stdout
    assert "lost when this server stops" in done.stdout
    assert "model\\x1b[31m.pt" in done.stdout
    assert "\x1b" not in done.stdout
    assert "storage rescue" in done.stdout


def test_programs_read_json(server: Server, folder: Path) -> None:
    (folder / "x").write_text("x")
    done = run(server, "--json")

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ephemeral"]["state"] == "known"
    assert answer["ephemeral"]["files"] >= 1


def test_without_a_server_the_volumes_are_told(server: Server, tmp_path: Path) -> None:
    """As a person starts it, with all that costs."""
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_mlinfn.cli", "storage"],
        env=server.platform.variables() | {"COLUMNS": "200", "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        cwd=server.platform.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "lasts" in done.stdout
    assert "Only a server knows" in done.stdout


def test_a_server_that_starts_loads_nothing_of_the_room() -> None:
    code = "import sys, jupyter_mlinfn.app; print([m for m in sys.modules if 'mlinfn.storage' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout

    assert "storage.room" in loaded
    for module in ("service", "picture", "rules", "mounts", "usage", "walk", "count"):
        assert f"storage.{module}'" not in loaded
