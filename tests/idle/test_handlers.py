"""The room on a real server, whose clock is turned: it warns, saves, stops, and writes down why."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket

from jupyter_mlinfn.events import IDLE

from ..support.patience import PATIENCE
from ..support.proof import PROOF, note
from ..support.server import TOKEN, Platform, Server, running, wait_for
from ..support.turned import by_our_clock, pass_time

TIMEOUT = 3600.0
SETTINGS: dict[str, Any] = {"idle_timeout": TIMEOUT, "idle_warnings": [1800.0, 600.0]}
PAGE = {"page": "a-page-of-somebody", "visible": True}
IGNORES = "import signal\nfor each in (signal.SIGINT, signal.SIGTERM): signal.signal(each, signal.SIG_IGN)"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "platform", ["https://channel.invalid"], traits=SETTINGS)


@pytest.fixture
def server(platform: Platform) -> Iterator[Server]:
    with by_our_clock(platform, lab=False) as server:
        yield server


def idle(server: Server) -> dict[str, Any]:
    return server.get("api/mlinfn/idle")


def noted(server: Server, look: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The answer of which that is true; the server looks anew for each."""

    def looked() -> Any:
        pass_time(server, 2)
        answer = idle(server)
        return look(answer) and answer

    return dict(wait_for(looked))


def signal_of(answer: dict[str, Any], source: str) -> dict[str, Any]:
    return next(each for each in answer["signals"] if each["source"] == source)


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
        for phase, seconds in (("warned", TIMEOUT - 1800), ("saving", 1800)):
            pass_time(server, seconds)
            event = wait_for_idle_event(told)
            # It says only "read again".
            assert set(event) <= {"schema_id", "schema_version", "emitted_at", "__schema__"} | {
                "__schema_version__",
                "__metadata_version__",
                "__timestamp__",
            }
            seen[phase] = idle(server)
            assert seen[phase]["phase"] == phase
        saved = {"documents": ["a.ipynb"], "failed": []}
        assert post(server, "page", {**PAGE, "saved": saved}) == 204
    server.process.wait(PATIENCE)
    record = last_stop(server.platform)

    assert seen["warned"]["warning"]
    assert seen["saving"]["save_by"] > seen["saving"]["now"]
    assert server.process.returncode == 0
    assert record["why"] == "idle"
    assert record["pages"]["saved"] == ["a.ipynb"]


def test_somebody_who_says_so_stays(server: Server) -> None:
    pass_time(server, TIMEOUT - 1)
    assert idle(server)["warning"]
    status, answer = server.request("POST", "api/mlinfn/idle/keepalive", {})
    assert status == 200
    assert answer["warning"] is None

    pass_time(server, TIMEOUT - 1)
    assert idle(server)["warning"]
    status, answer = server.request("POST", "api/mlinfn/idle/keepalive", {"seconds": 7200})
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
    noted(server, lambda answer: answer["busy"])
    for _ in range(4):
        pass_time(server, TIMEOUT / 2)
        answer = idle(server)
        assert (answer["phase"], answer["warning"]) == ("active", None)
        assert len(answer["busy"]) == 1
        assert answer["last_activity"]["source"] == "kernels"


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_an_idle_kernel_and_one_that_ignores_its_interrupt_do_not_hold_up_the_end(server: Server) -> None:
    kernel = start_kernel(server)
    execute(server, kernel, IGNORES)
    start_kernel(server)
    noted(server, lambda answer: signal_of(answer, "kernels")["time"] and not answer["busy"])
    children = psutil.Process(server.process.pid).children(recursive=True)
    assert len(alive(children)) >= 2
    pass_time(server, TIMEOUT)
    # A moment for a page that never reported.
    pass_time(server, 2)
    server.process.wait(PATIENCE)

    assert server.process.returncode == 0
    assert not alive(children)


def test_save_and_stop_now_is_answered_before_it_happens(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform", ["https://channel.invalid"])
    with by_our_clock(platform, lab=False) as server:
        assert idle(server)["phase"] == "unlimited"
        status, answer = server.request("POST", "api/mlinfn/idle/stop", {})
        assert (status, answer["phase"]) == (202, "saving")
        pass_time(server, 2)
        server.process.wait(PATIENCE)

        assert server.process.returncode == 0
        assert last_stop(platform)["why"] == "user"


def test_a_termination_leaves_its_reason_before_anybody_is_waited_for(platform: Platform) -> None:
    """Whoever terminates a server may kill it a second later."""
    file = platform.environments / ".mlinfn" / "idle" / "last-stop.json"
    patient = [f"--KernelManager.shutdown_wait_time={PATIENCE}"]
    with by_our_clock(platform, lab=False, arguments=patient) as server:
        idle(server)
        execute(
            server,
            start_kernel(server),
            f"{IGNORES}\nimport time\nwhile True: time.sleep(1)",
        )
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert alive(children)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_for(file.exists)
        took = time.monotonic() - began
        # The kernel that does not end holds it up, and did not hold up that.
        assert alive(children)
        assert server.process.poll() is None
        server.kill()
        for each in alive(children):
            each.kill()

    record = last_stop(platform)
    assert record["why"] == "outside"
    if PROOF:
        note(f"the reason of a termination was written after {took:.2f} s")


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
