"""Giving a server back on a real hub: nothing is lost, the hub knows, and who comes back is told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import websocket

from ..storage.rescue.support import MANIFEST, check_sums, manifest, sha256
from ..support.hub import Hub, HubServer, ServerSettings, hub_running
from ..support.patience import PATIENCE
from ..support.proof import sample
from ..support.server import wait_for
from .people import Stage
from .test_idle import direct_url, record

TRAITS: dict[str, Any] = {
    # The disk of the tests is one; the rules for it are tested in tests/storage.
    "ephemeral_folders": ["."],
    "persistent_folders": ["private", "shared"],
}
MAY_STOP = ServerSettings(own_server=True, traits=TRAITS)
MAY_NOT = ServerSettings(own_server=False, traits=TRAITS)
GRACE = sample(60, 1)
"""Seconds: one is all that KubeSpawner gives; a busy machine takes more."""

PAGE = {"page": "a-page-of-somebody", "visible": True}


def session(server: HubServer) -> dict[str, Any]:
    return server.get("api/mlinfn/session")


def ask(server: HubServer, method: str, path: str, body: Any = None) -> dict[str, Any]:
    status, answer = server.request(method, f"api/mlinfn/{path}", body)
    assert status in (200, 202, 204), answer
    return answer


def make_files(server: HubServer, count: int = 3) -> dict[str, str]:
    """Files that would be lost: SHA-256 by name."""
    hashes = {}
    for number in range(count):
        file = server.platform.root / "results" / f"{number}.bin"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes([number]) * 100_000)
        hashes[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashes


def kept(rescue: dict[str, Any]) -> dict[str, str]:
    """The same of what was rescued."""
    files = Path(rescue["folder"]).rglob("*.bin")
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def run_cell(server: HubServer, code: str) -> None:
    """In a new kernel, from a page that is closed when it runs."""
    status, kernel = server.request("POST", "api/kernels", {})
    assert status == 201, kernel
    url = f"{server.url}/api/kernels/{kernel['id']}/channels".replace("http", "ws", 1)
    header = {
        "msg_id": "m1",
        "msg_type": "execute_request",
        "session": "tests",
        "username": "",
        "version": "5.4",
    }
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "allow_stdin": False},
        "channel": "shell",
        "buffers": [],
    }
    token = f"Authorization: token {server.hub.token(server.user)}"
    with closing(websocket.create_connection(url, header=[token], timeout=PATIENCE)) as page:
        page.send(json.dumps(message))
        wait_for(lambda: session(server)["running"])


@pytest.mark.parametrize(
    ("name", "settings"),
    [("", MAY_STOP), ("gpu", MAY_STOP), ("gpu", MAY_NOT)],
    ids=["default server", "named server", "named server without the scope"],
)
def test_what_would_be_lost_is_named_kept_and_told_to_who_comes_back(
    plain_hub: Hub, user: str, name: str, settings: ServerSettings
) -> None:
    server = plain_hub.start(user, name, settings=settings)
    hashes = make_files(server)
    run_cell(server, "while True: pass")
    ask(server, "POST", "idle/page", PAGE)
    ask(server, "POST", "session/survey", {})
    asked = server.get("api/mlinfn/idle")["asked"]
    documents = {"asked": asked, "unsaved": ["a.ipynb"], "open": ["a.ipynb"]}
    ask(server, "POST", "idle/page", {**PAGE, "documents": documents})

    def surveyed() -> dict[str, Any] | None:
        answer = session(server)
        is_known = answer["files"]["state"] == "known" and answer["server"]["through_hub"] is not None
        return answer if is_known else None

    answer = wait_for(surveyed)
    assert answer["server"] == {
        "name": name,
        "under_hub": True,
        "through_hub": settings is MAY_STOP,
        "again": {"url": f"/hub/spawn/{user}" + (f"/{name}" if name else ""), "command": None},
    }
    assert len(answer["running"]) == 1
    assert answer["files"]["files"] == 3
    assert (answer["pages"]["unsaved"], answer["pages"]["silent"]) == (["a.ipynb"], 0)

    assert ask(server, "POST", "session/stop", {"when": "now"})["stop"]["phase"] == "saving"
    saved = {"documents": ["a.ipynb"], "failed": [], "open": ["a.ipynb"]}
    ask(server, "POST", "idle/page", {**PAGE, "saved": saved})
    wait_for(lambda: not server.running())
    written = record(server)
    assert written["why"] == "user"
    assert kept(written["rescue"]) == hashes
    if settings is MAY_NOT:
        assert f"User {user} server stopped, with exit code: 0" in plain_hub.log()

    plain_hub.start(user, name, settings=settings)
    told = ask(server, "GET", "session/welcome")["stopped"]
    assert (told["why"], told["server"], told["open"], told["saved"]) == (
        "user",
        name,
        ["a.ipynb"],
        ["a.ipynb"],
    )
    assert told["rescue"]["files"] == 3
    ask(server, "POST", "session/welcome", {})
    assert ask(server, "GET", "session/welcome") == {"stopped": None}


def test_a_policy_with_nobody_there_keeps_files_by_itself(plain_hub: Hub, user: str) -> None:
    settings = ServerSettings(own_server=True, traits={**TRAITS, "idle_timeout": 4.0})
    server = plain_hub.start(user, settings=settings)
    # Files that were there before a server are none of its own.
    with Stage(server, None, mine=True).somebody_there():
        hashes = make_files(server)
    wait_for(lambda: not server.running())
    plain_hub.start(user, settings=MAY_STOP)
    told = ask(server, "GET", "session/welcome")["stopped"]

    assert told["why"] == "idle"
    assert kept(told["rescue"]) == hashes
    assert told["lost"] == {"files": 0, "bytes": 0}


def test_it_waits_for_a_cell(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=MAY_STOP)
    go = server.platform.folder / "go"
    run_cell(server, f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)")
    assert ask(server, "POST", "session/stop", {"when": "finished"})["stop"]["phase"] == "waiting"
    assert server.running()
    go.touch()
    wait_for(lambda: not server.running())

    assert "finished" in record(server)["sentence"]


def test_tabs_and_a_terminal_that_press_at_once_have_one_end(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=MAY_STOP)
    hashes = make_files(server)
    ask(server, "POST", "idle/page", PAGE)

    def press(_: int) -> tuple[int, Any]:
        status, answer = server.request("POST", "api/mlinfn/session/stop", {"when": "now"})
        return status, answer.get("stop")

    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(press, range(4)))
    assert [status for status, _ in answers] == [202] * 4
    assert all(stop == answers[0][1] for _, stop in answers)
    ask(server, "POST", "idle/page", {**PAGE, "saved": {"documents": [], "failed": []}})
    wait_for(lambda: not server.running())

    written = record(server)
    assert kept(written["rescue"]) == hashes
    assert len(list((server.platform.root / "private" / "rescued").iterdir())) == 1


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_a_stop_by_the_hub_in_the_middle_of_ours_keeps_our_reason(
    plain_hub: Hub, user: str, signal: Any
) -> None:
    settings = ServerSettings(own_server=True, traits=TRAITS, stop_signal=signal, grace=GRACE)
    server = plain_hub.start(user, settings=settings)
    make_files(server)
    ask(server, "POST", "idle/page", PAGE)
    assert ask(server, "POST", "session/stop", {"when": "now"})["stop"]["phase"] == "saving"
    server.stop()
    written = record(server)

    assert (written["why"], written["rescue"]) == ("user", None)
    assert written["pages"]["silent"] == 1


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_a_stop_by_the_hub_while_files_are_kept_leaves_none_that_is_half_there(
    plain_hub: Hub, user: str, signal: Any
) -> None:
    settings = ServerSettings(own_server=True, traits=TRAITS, stop_signal=signal, grace=GRACE)
    server = HubServer(plain_hub, user)
    large = server.platform.root / "results" / "large.bin"
    rescued = server.platform.root / "private" / "rescued"

    def cut_short() -> bool:
        if rescued.exists():
            shutil.rmtree(rescued)
        plain_hub.start(user, settings=settings)
        make_files(server, 100)
        large.write_bytes(os.urandom(1_000_000) * 100)
        ask(server, "POST", "session/stop", {"when": "now"})
        wait_for(lambda: any(rescued.rglob("*.bin")))
        server.stop()
        written = record(server)
        assert (written["why"], written["server"]) == ("user", "")
        return written["rescue"] is None

    # On a busy machine all may be kept before the hub hears of the stop.
    wait_for(cut_short)

    # What was cut short is put in order by the next start, and its list is true.
    plain_hub.start(user, settings=MAY_STOP)
    session(server)
    (folder,) = rescued.iterdir()
    wait_for((folder / MANIFEST).exists)
    sources = {each.name: sha256(each) for each in large.parent.iterdir()}
    found = {each.name: sha256(each) for each in folder.rglob("*.bin")}
    assert found
    assert found.items() <= sources.items()
    assert check_sums(folder) == len(found) == manifest(folder)["summary"]["files"]
    assert ask(server, "GET", "session/welcome")["stopped"]["why"] == "user"


def test_a_stop_at_the_hub_names_what_was_lost(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=MAY_STOP)
    make_files(server)
    ask(server, "POST", "session/survey", {})
    wait_for(lambda: session(server)["files"]["state"] == "known")
    server.stop()
    written = record(server)

    assert written["why"] == "outside"
    assert written["lost"] == {"files": 3, "bytes": 300_000}


def test_a_token_that_was_revoked_ends_the_server_all_the_same(plain_hub: Hub, user: str) -> None:
    server = plain_hub.start(user, settings=MAY_STOP)
    hashes = make_files(server)
    session(server)
    status, tokens = plain_hub.api("GET", f"users/{user}/tokens")
    assert status == 200
    for each in tokens["api_tokens"]:
        if each["note"] != "of the tests":
            assert plain_hub.api("DELETE", f"users/{user}/tokens/{each['id']}")[0] == 204
    ask(server, "POST", "session/survey", {})
    wait_for(lambda: session(server)["server"]["through_hub"] is False)
    ask(server, "POST", "session/stop", {"when": "now"})
    wait_for(lambda: f"User {user} server stopped, with exit code: 0" in plain_hub.log())

    assert "or it was revoked" in server.log()
    assert kept(record(server)["rescue"]) == hashes


def test_a_hub_that_is_down_holds_up_nothing(tmp_path: Path) -> None:
    with hub_running(tmp_path / "hub") as hub:
        server = hub.start("ada", settings=MAY_STOP)
        hashes = make_files(server)
        process = server.process()
        assert process is not None
        session(server)
        direct = direct_url(hub, server)
        hub.kill_hub()
        answer = direct("POST", "api/mlinfn/session/survey", {})
        assert answer["server"]["through_hub"] is None
        assert direct("POST", "api/mlinfn/session/stop", {"when": "now"})["stop"]["phase"] == "saving"
        process.wait(PATIENCE)
        written = record(server)

    assert written["why"] == "user"
    assert kept(written["rescue"]) == hashes
