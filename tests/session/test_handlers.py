"""The room on a real server: what would be lost, the stop, and the card after it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_mlinfn.events import SESSION

from ..idle.test_handlers import execute, last_stop, start_kernel
from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for

PAGE = {"page": "a-page-of-somebody", "visible": True}
TRAITS: dict[str, Any] = {
    # The disk of the tests is one; the rules for it are tested in tests/storage.
    "ephemeral_folders": ["."],
    "persistent_folders": ["private", "shared"],
}
WAITS = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "platform", ["https://channel.invalid"], traits=TRAITS)


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    with running(platform) as server:
        yield server


def session(server: Server) -> dict[str, Any]:
    return server.get("api/mlinfn/session")


def post(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = server.request("POST", f"api/mlinfn/session/{path}", body)
    assert status == {"survey": 200, "stop": 202}[path], answer
    return answer


def tell(server: Server, **report: Any) -> None:
    assert server.request("POST", "api/mlinfn/idle/page", {**PAGE, **report})[0] == 204


def answer_question(server: Server, *unsaved: str) -> None:
    asked = server.get("api/mlinfn/idle")["asked"]
    tell(server, documents={"asked": asked, "unsaved": list(unsaved), "open": [*unsaved, "open.ipynb"]})


def known(server: Server, look: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The answer of which that is true; within the time that a test has."""
    return dict(wait_for(lambda: look(answer := session(server)) and answer))


def test_before_anybody_asks_nothing_is_looked_for(server: Server) -> None:
    answer = session(server)

    unknown = [answer[name] for name in ("files", "rescue", "holders", "terminals")]
    assert unknown == [None] * 4
    assert answer["stop"] == {
        "phase": None,
        "waits_for": [],
        "since": None,
        "job": None,
        "problem": None,
    }
    assert answer["server"]["under_hub"] is False
    assert answer["server"]["through_hub"] is False
    assert answer["server"]["again"]["url"] is None
    command = answer["server"]["again"]["command"]
    assert command.startswith("python")
    assert "-m jupyter_server --no-browser" in command
    assert TOKEN not in json.dumps(answer)
    assert answer["resources"]["cpus"]
    assert answer["resources"]["memory_bytes"]


def test_a_survey_finds_what_would_be_lost(server: Server, tmp_path: Path) -> None:
    for number in range(3):
        (server.platform.root / f"result-{number}.txt").write_text("x" * 10)
    tell(server)
    tell(server, page="a-page-that-sleeps")
    go = tmp_path / "go"
    execute(server, kernel := start_kernel(server), WAITS.format(str(go)))
    status, terminal = server.request("POST", "api/terminals", {})
    assert status == 200
    url = server.url.replace("http", "ws") + f"/terminals/websocket/{terminal['name']}"
    header = [f"Authorization: token {TOKEN}"]
    with closing(websocket.create_connection(url, header=header, timeout=PATIENCE)) as typed:
        typed.send(json.dumps(["stdin", "sleep 600\r"]))
        first = post(server, "survey", {})
        # They are asked; a machine may take them the two seconds that they have.
        assert first["pages"]["asking"] or first["pages"]["silent"] == 2
        assert first["files"]["state"] in ("counting", "known")
        answer_question(server, "a.ipynb")

        def surveyed(answer: dict[str, Any]) -> bool:
            if not answer["terminals"]:
                post(server, "survey", {})
                answer_question(server, "a.ipynb")
            known = answer["holders"] is not None and answer["files"]["state"] == "known"
            return bool(answer["terminals"] and known and answer["rescue"])

        answer = known(server, surveyed)
        assert not answer["pages"]["asking"] or answer["pages"]["silent"] == 0
        answer = known(server, lambda answer: answer["pages"]["silent"] == 1)

    assert answer["pages"] == {
        "known": 2,
        "answered": 1,
        "silent": 1,
        "asking": False,
        "unsaved": ["a.ipynb"],
    }
    assert [each["kernel_id"] for each in answer["running"]] == [kernel]
    assert answer["running"][0]["since"] <= answer["now"]
    assert answer["terminals"] == [
        {"name": terminal["name"], "title": f"Terminal {terminal['name']}", "programs": ["sleep"]}
    ]
    assert (answer["files"]["files"], answer["files"]["bytes"]) == (3, 30)
    assert answer["rescue"]["possible"]
    assert answer["holders"] == []
    go.touch()
    known(server, lambda answer: not answer["running"])


def test_news_is_told(server: Server) -> None:
    tell(server)
    url = server.url.replace("http", "ws") + "/api/events/subscribe"
    header = [f"Authorization: token {TOKEN}"]
    with closing(websocket.create_connection(url, header=header, timeout=PATIENCE)) as told:

        def event() -> dict[str, Any]:
            while (heard := json.loads(told.recv()))["schema_id"] != SESSION:
                pass
            return dict(heard)

        post(server, "survey", {})
        while True:
            assert not {"files", "pages", "stop"} & set(event())
            answer = session(server)
            if answer["files"]["state"] == "known" and answer["pages"]["silent"] == 1:
                break

    assert answer["pages"]["asking"] is False


def test_the_stop_keeps_files_and_is_told_at_the_next_start(platform: Platform) -> None:
    contents = {f"result-{number}.txt": f"result {number}" for number in range(3)}
    with running(platform) as server:
        for name, text in contents.items():
            (platform.root / name).write_text(text)
        tell(server)
        answer = post(server, "stop", {"when": "now"})
        assert answer["stop"]["phase"] == "saving"
        saved = {"documents": ["a.ipynb"], "failed": [], "open": ["a.ipynb"]}
        tell(server, saved=saved)
        server.process.wait(PATIENCE)
    record = last_stop(platform)
    rescue = record["rescue"]
    assert server.process.returncode == 0
    assert (record["why"], rescue["files"], rescue["left_count"]) == ("user", 3, 0)
    kept = Path(rescue["folder"])
    for name, text in contents.items():
        (found,) = kept.rglob(name)
        assert hashlib.sha256(found.read_bytes()).digest() == hashlib.sha256(text.encode()).digest()

    with running(platform) as server:
        told = server.get("api/mlinfn/session/welcome")["stopped"]
        assert (told["why"], told["open"], told["saved"]) == ("user", ["a.ipynb"], ["a.ipynb"])
        assert told["rescue"] == rescue
        assert told["lost"] == {"files": 0, "bytes": 0}
        assert told["freed"]["seconds_free"] is not None
        assert server.request("POST", "api/mlinfn/session/welcome", {})[0] == 204
        assert server.get("api/mlinfn/session/welcome") == {"stopped": None}
    with running(platform) as server:
        assert server.get("api/mlinfn/session/welcome") == {"stopped": None}


@pytest.mark.parametrize("keep", ["chosen", "nothing"])
def test_only_what_is_chosen_is_kept(platform: Platform, keep: str) -> None:
    with running(platform) as server:
        for name in ("mine.txt", "other.txt"):
            (platform.root / name).write_text(name)
        chosen: Any = ["mine.txt"] if keep == "chosen" else False
        post(server, "stop", {"when": "now", "keep": chosen, "save": False})
        server.process.wait(PATIENCE)
    record = last_stop(platform)

    assert server.process.returncode == 0
    rescued = platform.root / "private" / "rescued"
    found = sorted(each.name for each in rescued.rglob("*.txt")) if rescued.exists() else []
    assert found == (["mine.txt"] if keep == "chosen" else [])
    assert (record["rescue"] is None) == (keep == "nothing")


def test_a_stop_waits_for_the_cells_that_run_and_no_others(server: Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    execute(server, start_kernel(server), WAITS.format(str(go)))
    answer = post(server, "stop", {"when": "finished", "keep": False})
    assert answer["stop"]["phase"] == "waiting"
    assert len(answer["stop"]["waits_for"]) == 1
    # It goes on being used meanwhile, and is asked once more.
    execute(server, start_kernel(server), "while True: pass")
    assert post(server, "stop", {"when": "finished"})["stop"] == answer["stop"]
    assert server.get("api/mlinfn/idle")["phase"] == "unlimited"
    go.touch()
    server.process.wait(PATIENCE)

    assert server.process.returncode == 0
    assert "finished" in last_stop(server.platform)["sentence"]


def test_a_kernel_that_is_shut_has_finished(server: Server, tmp_path: Path) -> None:
    kernel = start_kernel(server)
    execute(server, kernel, WAITS.format(str(tmp_path / "never")))
    assert post(server, "stop", {"when": "finished", "keep": False})["stop"]["phase"] == "waiting"
    server.request("DELETE", f"api/kernels/{kernel}")
    server.process.wait(PATIENCE)

    assert server.process.returncode == 0


def test_without_a_running_cell_there_is_nothing_to_wait_for(server: Server) -> None:
    start_kernel(server)
    answer = post(server, "stop", {"when": "finished"})

    assert answer["stop"]["phase"] == "saving"
    assert server.process.wait(PATIENCE) == 0


def test_a_stop_is_called_off(server: Server, tmp_path: Path) -> None:
    tell(server)
    status, answer = server.request("DELETE", "api/mlinfn/session/stop")
    assert (status, answer["stop"]["phase"]) == (200, None)
    execute(server, start_kernel(server), WAITS.format(str(go := tmp_path / "go")))
    for when, phase in (("finished", "waiting"), ("now", "saving")):
        assert post(server, "stop", {"when": when})["stop"]["phase"] == phase
        status, answer = server.request("DELETE", "api/mlinfn/session/stop")
        assert (status, answer["stop"]["phase"]) == (200, None)
    go.touch()
    known(server, lambda answer: not answer["running"])

    assert session(server)["stop"]["phase"] is None
    assert server.process.poll() is None


def test_where_files_cannot_be_kept_the_server_stays_and_says_why(platform: Platform) -> None:
    with running(platform) as server:
        (platform.root / "result.txt").write_text("mine")
        # Nothing can be put there.
        (platform.root / "private" / "rescued").write_text("a file is in the way")
        post(server, "stop", {"when": "now"})
        answer = known(server, lambda answer: answer["stop"]["problem"])
        assert answer["stop"]["phase"] is None
        assert "could not be kept" in answer["stop"]["problem"]
        post(server, "stop", {"when": "now", "keep": False})
        server.process.wait(PATIENCE)

        assert server.process.returncode == 0
