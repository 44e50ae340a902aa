"""What counts of what kernels do: real kernels of a real server, real websockets.

A page and the room hear a kernel on sockets of their own, one sooner and the other later: before it is
asked what counts, the room has heard of it, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.utils import ensure_async

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.observers import kernels as observer
from jupyter_mlinfn.idle.sources.kernels import AT_ONCE, KernelSource, Request
from tests.support.clock import Clock
from tests.support.kernels import Kernels, until
from tests.support.patience import PATIENCE

WAITS_FOR = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)\n"


class Page:
    """A page's websocket to a kernel."""

    def __init__(self, socket: Any, session: str) -> None:
        self._socket = socket
        self._session = session

    async def send(self, channel: str, kind: str, **content: Any) -> str:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": self._session,
            "username": "",
            "date": "2026-11-24T00:00:00Z",
            "version": "5.4",
        }
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        await self._socket.write_message(json.dumps({**message, "channel": channel, "buffers": []}))
        return header["msg_id"]

    async def execute(self, code: str) -> str:
        return await self.send("shell", "execute_request", code=code, silent=False, allow_stdin=True)

    async def hears(self, kind: str, parent: str | None = None) -> dict[str, Any]:
        """The next message of that kind."""
        while True:
            message = json.loads(await asyncio.wait_for(self._socket.read_message(), PATIENCE))
            if message["msg_type"] == kind and parent in (None, message["parent_header"].get("msg_id")):
                return dict(message)

    def close(self) -> None:
        self._socket.close()


Opens = Callable[..., Awaitable[Page]]


class Noting(KernelSource):
    """Keeps the ids of the requests that a kernel has said to begin and to have ended."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.begun: set[str] = set()
        self.ended: set[str] = set()

    def begins(self, kernel_id: str, request: Request) -> None:
        super().begins(kernel_id, request)
        self.begun.add(request.id)

    def ends(self, kernel_id: str, request: Request) -> None:
        super().ends(kernel_id, request)
        self.ended.add(request.id)


class Room:
    """The source, on a server, with a clock that the test turns."""

    def __init__(self, server: Any) -> None:
        self.clock = Clock()
        manager = server.kernel_manager
        self.kernels = Kernels(server)
        self.source = Noting(lambda kernel_id: kernel_id in manager, self._names, clock=self.clock)
        self.end = observer.observe(manager, self.source)
        self.server = server

    async def _names(self) -> dict[str, tuple[str, str | None]]:
        sessions = await self.server.session_manager.list_sessions()
        return {each["kernel"]["id"]: (each["name"], each["path"]) for each in sessions}

    async def look(self) -> Signal:
        return await self.source.look(self.clock())

    async def begun(self, request: str) -> None:
        """It has heard that a kernel works on it."""
        await until(lambda: request in self.source.begun)

    async def ended(self, request: str) -> None:
        await until(lambda: request in self.source.ended)

    async def working(self) -> bool:
        """Whether it counts as activity now, a minute after whatever happened last."""
        self.clock.pass_time(60)
        return (await self.look()).last == self.clock()


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any]) -> dict[str, Any]:
    return jp_server_config | {
        # How often it is looked whether a kernel lives.
        "KernelRestarter": {"time_to_dead": 0.2},
        "MappingKernelManager": {"kernel_info_timeout": PATIENCE},
    }


@pytest.fixture
def room(jp_serverapp: Any, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Room]:
    room = Room(jp_serverapp)
    yield room
    room.end()
    manager = jp_serverapp.kernel_manager
    for kernel_id in manager.list_kernel_ids():
        # Sooner than the server's end has it.
        jp_asyncio_loop.run_until_complete(ensure_async(manager.shutdown_kernel(kernel_id, now=True)))


@pytest.fixture
def opens(room: Room, jp_ws_fetch: Any) -> Opens:
    """Opens a page on a kernel."""

    async def open_page(kernel_id: str, session: str = "") -> Page:
        session = session or uuid.uuid4().hex
        socket = await jp_ws_fetch("api", "kernels", kernel_id, "channels", params={"session_id": session})
        return Page(socket, session)

    return open_page


async def test_a_kernel_that_only_starts_is_no_activity(room: Room) -> None:
    await room.kernels.bare()
    assert await room.look() == Signal("kernels", None)
    assert room.source.busy() == []


async def test_a_cell_counts_while_it_runs_however_quiet_and_then_the_time_of_its_end(
    room: Room, opens: Opens, tmp_path: Path
) -> None:
    kernel = await room.kernels.session("train.ipynb")
    page = await opens(kernel)
    go = tmp_path / "go"
    began = room.clock()
    request = await page.execute(WAITS_FOR.format(str(go)))
    await room.begun(request)
    assert await room.working()
    assert await room.working()
    assert (await room.look()).detail == "train.ipynb is running code."
    (busy,) = room.source.busy()
    assert (busy.kernel_id, busy.title, busy.path, busy.since) == (
        kernel,
        "train.ipynb",
        "train.ipynb",
        began,
    )
    room.clock.pass_time(7)
    ended = room.clock()
    go.touch()
    await until(lambda: not _at_work(room))
    assert not await room.working()
    assert await room.look() == Signal("kernels", ended)
    assert room.source.busy() == []


async def test_it_counts_with_the_page_closed(room: Room, opens: Opens, tmp_path: Path) -> None:
    page = await opens(await room.kernels.bare())
    go = tmp_path / "go"
    request = await page.execute(WAITS_FOR.format(str(go)))
    await room.begun(request)
    page.close()
    assert await room.working()
    ended = room.clock()
    go.touch()
    await until(lambda: not _at_work(room))
    assert not await room.working()
    assert (await room.look()).last == ended


async def test_what_a_page_asks_by_itself_does_not_count(room: Room, opens: Opens) -> None:
    page = await opens(await room.kernels.bare())
    for channel, kind, content in (
        ("shell", "kernel_info_request", {}),
        ("shell", "comm_info_request", {}),
        ("shell", "complete_request", {"code": "%ti", "cursor_pos": 3}),
        ("shell", "inspect_request", {"code": "print", "cursor_pos": 3, "detail_level": 0}),
        ("control", "debug_request", {"type": "request", "command": "debugInfo", "seq": 1, "arguments": {}}),
    ):
        await room.ended(await page.send(channel, kind, **content))
    assert await room.look() == Signal("kernels", None)


async def test_the_callback_of_a_widget_counts_when_it_takes_its_time(
    room: Room, opens: Opens, tmp_path: Path
) -> None:
    kernel = await room.kernels.bare()
    page = await opens(kernel)
    go = tmp_path / "go"
    await room.ended(
        await page.execute(
            "import os, time\nfrom ipykernel.comm import Comm\ncomm = Comm('t', comm_id='c')\n"
            "def called(message):\n    while message['content']['data'] and not os.path.exists("
            f"{str(go)!r}): time.sleep(0.01)\ncomm.on_msg(called)"
        )
    )
    last = (await room.look()).last
    await room.ended(await page.send("shell", "comm_msg", comm_id="c", data={}))
    assert not await room.working()
    assert (await room.look()).last == last
    request = await page.send("shell", "comm_msg", comm_id="c", data={"long": True})
    await room.begun(request)
    assert (await room.look()).last == last
    room.clock.pass_time(AT_ONCE)
    assert await room.working()
    go.touch()
    await room.ended(request)
    assert not await room.working()


async def test_waiting_for_an_answer_to_input_does_not_count_and_the_answer_does(
    room: Room, opens: Opens
) -> None:
    page = await opens(await room.kernels.bare())
    asked = room.clock()
    request = await page.execute("name = input('Who? ')")
    await room.begun(request)
    await page.hears("input_request", request)
    assert not await room.working()
    signal = await room.look()
    assert signal.last == asked
    assert signal.detail == "A kernel waits for an answer to input(), which does not count."
    assert room.source.busy() == []
    answered = room.clock()
    await page.send("stdin", "input_reply", value="me")
    await room.ended(request)
    assert not await room.working()
    assert await room.look() == Signal("kernels", answered)


async def test_a_kernel_that_asks_after_its_page_was_closed_does_not_count(
    room: Room, opens: Opens, tmp_path: Path
) -> None:
    kernel = await room.kernels.bare()
    page = await opens(kernel)
    go = tmp_path / "go"
    request = await page.execute(WAITS_FOR.format(str(go)) + "print(input('Who? '))")
    await room.begun(request)
    page.close()
    await until(lambda: room.server.kernel_manager._kernel_connections[kernel] == 0)
    assert await room.working()
    go.touch()
    await until(lambda: not _at_work(room))
    assert not await room.working()
    # The page comes back as the same client, is asked, and answers.
    page = await opens(kernel, page._session)
    await page.hears("input_request")
    assert not await room.working()
    answered = room.clock()
    await page.send("stdin", "input_reply", value="me")
    await room.ended(request)
    assert (await room.look()).last == answered


async def test_interrupting_ends_what_waited(room: Room, opens: Opens) -> None:
    kernel = await room.kernels.bare()
    page = await opens(kernel)
    request = await page.execute("input()")
    await page.hears("input_request", request)
    await ensure_async(room.kernels.manager(kernel).interrupt_kernel())
    await room.ended(request)
    assert (await room.look()).detail == ""
    request = await page.execute("1")
    await room.ended(request)
    assert (await room.look()).last == room.clock()


async def test_a_kernel_that_dies_is_not_busy_for_ever(room: Room, opens: Opens, tmp_path: Path) -> None:
    kernel = await room.kernels.bare()
    page = await opens(kernel)
    request = await page.execute(WAITS_FOR.format(str(tmp_path / "never")))
    await room.begun(request)
    assert await room.working()
    os.kill(room.kernels.pid(kernel), signal.SIGKILL)
    await until(lambda: not _at_work(room))
    assert not await room.working()
    # The new process is heard as the old one was.
    await _heard_at_work(room, kernel)


async def test_a_restart_ends_the_work(room: Room, opens: Opens, tmp_path: Path) -> None:
    kernel = await room.kernels.bare()
    page = await opens(kernel)
    request = await page.execute(WAITS_FOR.format(str(tmp_path / "never")))
    await room.begun(request)
    await ensure_async(room.server.kernel_manager.restart_kernel(kernel))
    restarted = room.clock()
    assert not await room.working()
    assert (await room.look()).last == restarted


async def test_a_kernel_that_is_shut_while_it_works_has_worked_until_then(
    room: Room, opens: Opens, tmp_path: Path
) -> None:
    kernel = await room.kernels.bare()
    page = await opens(kernel)
    request = await page.execute(WAITS_FOR.format(str(tmp_path / "never")))
    await room.begun(request)
    room.clock.pass_time(5)
    await ensure_async(room.server.kernel_manager.shutdown_kernel(kernel, now=True))
    shut = room.clock()
    assert (await room.look()).last == shut
    assert not await room.working()


async def test_subshells_work_on_their_own(room: Room, opens: Opens, tmp_path: Path) -> None:
    page = await opens(await room.kernels.bare())
    go = tmp_path / "go"
    main = await page.execute(WAITS_FOR.format(str(go)))
    await room.begun(main)
    await page.send("control", "create_subshell_request")
    subshell = (await page.hears("create_subshell_reply"))["content"]["subshell_id"]
    header = {"subshell_id": subshell}
    request = await _in_subshell(page, header)
    await room.ended(request)
    assert await room.working()
    go.touch()
    await room.ended(main)
    assert not await room.working()


async def test_kernels_that_were_there_before_are_heard_too(room: Room) -> None:
    room.end()
    kernel = await room.kernels.bare()
    other = Room(room.server)
    try:
        await _heard_at_work(other, kernel)
        assert (await room.look()).last is None
    finally:
        other.end()


def _at_work(room: Room) -> bool:
    return bool(room.source._at_work(room.clock()))


async def _heard_at_work(room: Room, kernel: str) -> None:
    """Run something until it is heard: what is said before a new subscription has reached the kernel is
    heard by nobody."""
    while (await room.look()).last != room.clock():
        assert await room.kernels.run(kernel, "print(1)") == "1\n"


async def _in_subshell(page: Page, more: dict[str, str]) -> str:
    message_id = uuid.uuid4().hex
    header = {"msg_id": message_id, "msg_type": "execute_request", "session": page._session, "version": "5.4"}
    content = {"code": "1", "silent": False}
    message = {"header": {**header, "username": "", "date": "2026-11-24T00:00:00Z", **more}}
    rest = {"parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
    await page._socket.write_message(json.dumps({**message, **rest}))
    return message_id
