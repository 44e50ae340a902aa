"""The room on a real server, with seconds for hours: it warns, saves, stops, and writes down why."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket

from jupyter_mlinfn.events import IDLE

from ..support.patience import PATIENCE
from ..support.server import TOKEN, Platform, Server, running, wait_for

SETTINGS: dict[str, Any] = {"idle_timeout": 4.0, "idle_warnings": [2.0, 1.0]}
PAGE = {"page": "a-page-of-somebody", "visible": True}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "platform", ["https://channel.invalid"], traits=SETTINGS)


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    with running(platform) as server:
        yield server


def idle(server: Server) -> dict[str, Any]:
    return server.get("api/mlinfn/idle")


def post(server: Server, path: str, body: dict[str, Any]) -> int:
    return server.request("POST", f"api/mlinfn/idle/{path}", body)[0]


def last_stop(platform: Platform) -> dict[str, Any]:
    return dict(json.loads((platform.environments / ".mlinfn" / "idle" / "last-stop.json").read_text()))


@contextmanager
def events(server: Server) -> Iterator[websocket.WebSocket]:
    url = server.url.replace("http", "ws") + "/api/events/subscribe"
    with closing(
        websocket.create_connection(url, header=[f"Authorization: token {TOKEN}"], timeout=PATIENCE)
    ) as socket:
        yield socket


def wait_for_idle_event(socket: websocket.WebSocket) -> dict[str, Any]:
    while (event := json.loads(socket.recv()))["schema_id"] != IDLE:
        pass
    return dict(event)


def test_a_forgotten_server_warns_saves_and_stops_with_its_reason_written(server: Server) -> None:
    with events(server) as told:
        assert post(server, "page", PAGE) == 204
        seen = {}
        while "saving" not in seen:
            event = wait_for_idle_event(told)
            # It says only "read again".
            assert set(event) <= {"schema_id", "schema_version", "emitted_at", "__schema__"} | {
                "__schema_version__",
                "__metadata_version__",
                "__timestamp__",
            }
            answer = idle(server)
            seen[answer["phase"]] = answer
        saved = {"documents": ["a.ipynb"], "failed": []}
        assert post(server, "page", {**PAGE, "saved": saved}) == 204
    server.process.wait(PATIENCE)
    record = last_stop(server.platform)

    assert "warned" in seen
    assert seen["saving"]["save_by"] > seen["saving"]["now"]
    assert server.process.returncode == 0
    assert record["why"] == "idle"
    assert record["pages"]["saved"] == ["a.ipynb"]


def test_somebody_who_says_so_stays(server: Server) -> None:
    wait_for(lambda: idle(server)["warning"])
    status, answer = server.request("POST", "api/mlinfn/idle/keepalive", {})
    assert status == 200
    assert answer["warning"] is None

    wait_for(lambda: idle(server)["warning"])
    status, answer = server.request("POST", "api/mlinfn/idle/keepalive", {"seconds": 3600})
    assert (status, answer["warning"]) == (200, None)
    assert answer["kept_until"] == answer["next"]["time"]


def test_more_than_is_allowed_is_refused_with_words(server: Server) -> None:
    status, answer = server.request("POST", "api/mlinfn/idle/keepalive", {"seconds": 604800})

    assert status == 400
    assert "12 h" in answer["reason"]
    assert answer["hint"]


def start_kernel(server: Server) -> str:
    status, kernel = server.request("POST", "api/kernels", {"name": "python3"})
    assert status == 201, kernel
    return str(kernel["id"])


def execute(server: Server, kernel: str, code: str) -> None:
    url = server.url.replace("http", "ws") + f"/api/kernels/{kernel}/channels"
    header = {
        "msg_id": "m1",
        "msg_type": "execute_request",
        "session": "tests",
        "username": "",
        "version": "5.4",
        "date": "2026-11-24T00:00:00Z",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
    }
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    with closing(
        websocket.create_connection(url, header=[f"Authorization: token {TOKEN}"], timeout=PATIENCE)
    ) as socket:
        socket.send(json.dumps(message))
        # It is at work, and the page is closed.
        while True:
            heard = json.loads(socket.recv())
            state = heard.get("content", {}).get("execution_state")
            if heard["parent_header"].get("msg_id") == header["msg_id"] and state == "busy":
                return


def test_a_cell_that_runs_with_its_page_closed_keeps_the_server(server: Server) -> None:
    execute(server, start_kernel(server), "import time\nwhile True: time.sleep(1)")
    wait_for(lambda: idle(server)["busy"])
    began, answers = time.monotonic(), 0
    while time.monotonic() - began < 2 * SETTINGS["idle_timeout"]:
        answer = idle(server)
        answers += 1
        assert answer["warning"] is None
        assert len(answer["busy"]) == 1

    assert answers > 10
    assert answer["last_activity"]["source"] == "kernels"


def test_an_idle_kernel_and_one_that_ignores_its_interrupt_do_not_hold_up_the_end(server: Server) -> None:
    kernel = start_kernel(server)
    execute(
        server,
        kernel,
        "import signal\nfor s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)",
    )
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.process.wait(PATIENCE)

    assert server.process.returncode == 0
    assert not [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_save_and_stop_now_is_answered_before_it_happens(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"])
    with running(platform) as server:
        assert idle(server)["phase"] == "unlimited"
        status, answer = server.request("POST", "api/mlinfn/idle/stop", {})
        assert (status, answer["phase"]) == (202, "saving")
        server.process.wait(PATIENCE)

        assert server.process.returncode == 0
        assert last_stop(platform)["why"] == "user"


@pytest.mark.parametrize("grace", [1.0])
def test_a_termination_with_a_second_of_grace_leaves_its_reason(tmp_path: Path, grace: float) -> None:
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"], traits={"idle_timeout": 3600.0})
    with running(platform) as server:
        idle(server)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: (platform.environments / ".mlinfn" / "idle" / "last-stop.json").exists(), grace)
        server.kill()

    record = last_stop(platform)
    assert record["why"] == "outside"
    assert record["last_activity"]["source"] == "start"


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Empty for one that ends just now."""
    try:
        return process.environ()
    except psutil.NoSuchProcess:
        return {}


def test_what_holds_the_secret_is_not_given_to_children(tmp_path: Path) -> None:
    secret = "json://127.0.0.1:9/secret-of-the-webhook"
    platform = Platform(
        tmp_path / "platform", ["https://channel.invalid"], environment={"MLINFN_IDLE_NOTIFY": secret}
    )
    with running(platform) as server:
        answer = idle(server)
        kernel = start_kernel(server)
        server.get(f"api/kernels/{kernel}")
        environments = [environment_of(each) for each in psutil.Process(server.process.pid).children(True)]
        assert any(environments)
        assert all(secret not in each.values() for each in environments)

    assert answer["mail"] == {"configured": True, "sent": None}
    assert "secret" not in json.dumps(answer)
    assert "secret-of-the-webhook" not in (platform.folder / "server.log").read_text()
