"""Typing in real terminals of a real server, and what is no typing."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.idle.models import Signal
from jupyter_mlinfn.idle.observers import terminals as observer
from jupyter_mlinfn.idle.sources.terminals import WINDOW, TerminalSource
from tests.support.clock import Clock
from tests.support.kernels import Kernels, until
from tests.support.patience import PATIENCE

pytestmark = [
    pytest.mark.skipif(not Path("/dev/pts").is_dir(), reason="no pseudo-terminals here"),
    # Of jupyter_server_terminals, which looks who asks in a way of its own.
    pytest.mark.filterwarnings("ignore::jupyter_server.utils.JupyterServerAuthWarning"),
]


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    extensions = {"jupyter_mlinfn": True, "jupyter_server_terminals": True}
    return {
        "ServerApp": {
            "jpserver_extensions": extensions,
            "allow_unauthenticated_access": False,
            "terminado_settings": {"shell_command": ["sh"]},
        }
    }


class Page:
    """A page's websocket to a terminal."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def types(self, text: str) -> None:
        await self._socket.write_message(json.dumps(["stdin", text]))

    async def shows(self, text: str) -> None:
        """Wait until the terminal has printed it."""
        await asyncio.wait_for(self._shows(text), PATIENCE)

    async def _shows(self, text: str) -> None:
        printed = ""
        while text not in printed:
            kind, *rest = json.loads(await self._socket.read_message())
            printed += rest[0] if kind == "stdout" else ""


Opens = Callable[[str], Awaitable[Page]]


@pytest.fixture
def opens(jp_serverapp: Any, jp_ws_fetch: Any) -> Opens:
    async def open_page(name: str) -> Page:
        return Page(await jp_ws_fetch("terminals", "websocket", name))

    return open_page


async def test_a_terminals_device_is_found(jp_serverapp: Any, opens: Opens) -> None:
    assert observer.devices(jp_serverapp) == {}
    name, process = Kernels(jp_serverapp).terminal()
    page = await opens(name)
    await page.types("tty\n")
    await page.shows("/dev/pts/")
    device = observer.devices(jp_serverapp)[name]
    assert device == str(Path(f"/proc/{process.pid}/fd/0").readlink())


async def test_typing_counts_and_what_a_clock_prints_does_not(
    jp_serverapp: Any, opens: Opens, tmp_path: Path
) -> None:
    clock = Clock()
    # The stamps are of the machine's, to the second, and of after the beginning.
    clock.offset = time.time() - 60 - clock()
    source = TerminalSource(lambda: observer.devices(jp_serverapp), clock=clock, wall=clock.wall)
    name, _ = Kernels(jp_serverapp).terminal()
    page = await opens(name)
    end = tmp_path / "end"
    await page.types(f"echo be''gun; while ! [ -e {end} ]; do date; sleep 0.2; done\n")
    await page.shows("begun")
    device = Path(observer.devices(jp_serverapp)[name])
    typed, printed = device.stat().st_atime, device.stat().st_mtime
    last = typed - clock.offset + WINDOW - typed % WINDOW
    clock.now = typed - clock.offset + 1
    signal = await source.look(clock())
    assert signal.last == pytest.approx(min(clock(), last))
    assert signal.detail == f"Somebody typed in Terminal {name}."
    # The clock goes on until the kernel has written its time.
    await until(lambda: device.stat().st_mtime > printed)
    clock.now = device.stat().st_mtime - clock.offset + 1
    assert device.stat().st_atime == typed
    signal = await source.look(clock())
    assert signal.last == pytest.approx(last)
    # A key that a program reads: counted again.
    end.touch()
    await page.types("echo he''re\n")
    await page.shows("here")
    clock.now = device.stat().st_atime - clock.offset + 1
    assert (await source.look(clock())).last == pytest.approx(clock(), abs=1)
    assert clock() > last


def source_on(device: Path, clock: Clock) -> TerminalSource:
    return TerminalSource(lambda: {"1": str(device)}, clock=clock, wall=clock.wall)


def read_at(device: Path, wall: float) -> None:
    os.utime(device, (wall, 0))


async def test_the_last_key_may_be_as_late_as_the_kernel_does_not_tell(tmp_path: Path) -> None:
    clock, device = Clock(), tmp_path / "tty"
    device.touch()
    clock.now += -clock.wall() % WINDOW
    source = source_on(device, clock)
    clock.pass_time(1)
    read_at(device, clock.wall())
    assert (await source.look(clock())).last == clock()
    clock.pass_time(60)
    assert (await source.look(clock())).last == clock() - 60 + 7


async def test_a_clock_that_is_set_is_no_typing(tmp_path: Path) -> None:
    clock, device = Clock(), tmp_path / "tty"
    device.touch()
    source = source_on(device, clock)
    clock.pass_time(100)
    read_at(device, clock.wall())
    typed = clock()
    clock.pass_time(100)
    await source.look(clock())
    clock.offset += 7200
    clock.pass_time(100)
    signal = await source.look(clock())
    assert typed <= (signal.last or 0) <= typed + WINDOW
    clock.offset -= 2 * 7200
    clock.pass_time(100)
    assert await source.look(clock()) == signal
    # Typed by the clock as it is set now: believed as far as the time since the last look reaches.
    clock.pass_time(100)
    read_at(device, clock.wall() - 5000)
    assert (await source.look(clock())).last == pytest.approx(clock() - 100, abs=WINDOW)


async def test_a_terminal_that_is_closed_has_been_typed_in(tmp_path: Path) -> None:
    clock, device = Clock(), tmp_path / "tty"
    device.touch()
    source = source_on(device, clock)
    clock.pass_time(100)
    read_at(device, clock.wall())
    signal = await source.look(clock())
    device.unlink()
    clock.pass_time(100)
    after = await source.look(clock())
    assert (after.last or 0) <= (signal.last or 0) + WINDOW
    assert after.detail == signal.detail


async def test_without_terminals_there_is_nothing_to_say() -> None:
    assert await TerminalSource(dict).look(0.0) == Signal("terminals", None)
