"""Kernels behind a gateway, as the gateway's answers tell of them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websocket import create_connection

from jupyter_mlinfn.idle.sources.gateway import ASK_EVERY, GatewayKernelSource
from jupyter_mlinfn.times import iso
from tests.support.clock import Clock
from tests.support.patience import PATIENCE, until
from tests.support.server import TOKEN, Platform, running, wait_for


class Gateway:
    """Somebody else's server: what it answers."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.kernels: dict[str, dict[str, Any]] = {}
        self.error: Exception | None = None
        self.silent = asyncio.Event()
        self.silent.set()
        self.asked = 0
        self.source = GatewayKernelSource(self.models, self.names, clock=self.clock, wall=self.clock.wall)

    async def models(self) -> list[dict[str, Any]]:
        self.asked += 1
        await self.silent.wait()
        if self.error is not None:
            raise self.error
        return list(self.kernels.values())

    async def names(self) -> dict[str, tuple[str, str | None]]:
        return {"one": ("train.ipynb", "work/train.ipynb")}

    def says(self, kernel: str, state: str, ago: float = 0.0) -> None:
        at = datetime.fromtimestamp(self.clock.wall() - ago, timezone.utc)
        self.kernels[kernel] = {"id": kernel, "execution_state": state, "last_activity": iso(at)}

    async def look(self) -> float | None:
        self.clock.pass_time(ASK_EVERY)
        await self.source.refresh()
        return (await self.source.look(self.clock())).last


async def test_a_busy_kernel_counts_and_then_the_gateways_own_time() -> None:
    gateway = Gateway()
    assert await gateway.look() is None
    gateway.clock.pass_time(600)
    gateway.says("one", "idle", ago=500)
    assert await gateway.look() == pytest.approx(gateway.clock() - 500 - ASK_EVERY)
    gateway.says("one", "busy", ago=500)
    busy = await gateway.look()
    assert busy == gateway.clock()
    (kernel,) = gateway.source.busy()
    assert (kernel.title, kernel.path, kernel.since) == ("train.ipynb", "work/train.ipynb", busy)
    assert await gateway.look() == gateway.clock()
    gateway.says("one", "idle", ago=500)
    ended = await gateway.look()
    assert ended == gateway.clock()
    assert gateway.source.busy() == []
    assert await gateway.look() == ended


async def test_a_busy_kernel_that_is_gone_has_ended() -> None:
    gateway = Gateway()
    gateway.says("one", "busy")
    await gateway.look()
    gateway.kernels.clear()
    ended = await gateway.look()
    assert ended == gateway.clock()
    assert await gateway.look() == ended


async def test_looking_does_not_wait_for_a_gateway_and_asks_once() -> None:
    gateway = Gateway()
    gateway.silent.clear()
    for _ in range(3):
        gateway.clock.pass_time(ASK_EVERY)
        assert (await gateway.source.look(gateway.clock())).last is None
        await asyncio.sleep(0)
    assert gateway.asked == 1
    gateway.says("one", "busy")
    gateway.silent.set()
    await until(gateway.source.busy)
    assert (await gateway.source.look(gateway.clock())).last == gateway.clock()
    gateway.source.close()


async def test_a_gateway_that_does_not_answer_is_told_until_it_does() -> None:
    gateway = Gateway()
    gateway.error = ConnectionRefusedError("no gateway")
    with pytest.raises(ConnectionRefusedError):
        await gateway.look()
    gateway.error = None
    assert await gateway.look() is None


async def test_a_gateway_that_hangs_is_told_as_one_that_fails() -> None:
    gateway = Gateway()
    gateway.silent.clear()
    await gateway.source.look(gateway.clock())
    gateway.clock.pass_time(2 * ASK_EVERY + 1)
    with pytest.raises(TimeoutError):
        await gateway.source.look(gateway.clock())
    gateway.silent.set()
    assert await gateway.look() is None


async def test_the_answers_of_a_real_server_as_the_gateway(tmp_path: Path) -> None:
    go = tmp_path / "go"
    platform = Platform(tmp_path / "gateway", [])
    with running(platform, arguments=["--log-level=DEBUG"]) as server:

        async def models() -> list[dict[str, Any]]:
            _, kernels = await asyncio.to_thread(server.request, "GET", "api/kernels")
            return list(kernels)

        async def names() -> dict[str, tuple[str, str | None]]:
            return {}

        source = GatewayKernelSource(models, names)
        _, kernel = server.request("POST", "api/kernels", {"name": "python3"})
        address = f"{server.url.replace('http', 'ws')}/api/kernels/{kernel['id']}/channels?token={TOKEN}"
        page = await asyncio.to_thread(partial(create_connection, address, timeout=PATIENCE))
        try:

            async def looked() -> float | None:
                await source.refresh()
                return (await source.look(time.monotonic())).last

            async def becomes(state: str) -> None:
                """It hears the kernel on another socket than the page does."""
                await asyncio.to_thread(
                    wait_for,
                    lambda: server.get(f"api/kernels/{kernel['id']}")["execution_state"] == state,
                )

            def heard() -> int:
                """So often it has heard, by its own log, that the kernel became busy or idle."""
                return (
                    (platform.folder / "server.log").read_text().count(f"activity on {kernel['id']}: status")
                )

            async def asks_by_itself() -> None:
                before = heard()
                page.send(json.dumps(request("kernel_info_request")))
                await asyncio.to_thread(hear, page, "kernel_info_reply")
                await asyncio.to_thread(wait_for, lambda: heard() >= before + 2)

            # The page's coming is no activity, as the gateway has it; the kernel's start is.
            await becomes("idle")
            await asks_by_itself()
            started = await looked()
            assert started is not None
            assert source.busy() == []
            await asks_by_itself()
            assert await looked() == started
            code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
            page.send(json.dumps(request("execute_request", code=code, silent=False)))
            await becomes("busy")
            assert (await looked() or 0) > started
            assert [busy.kernel_id for busy in source.busy()] == [kernel["id"]]
            go.touch()
            await becomes("idle")
            await source.refresh()
        finally:
            page.close()
        ended = await looked()
        assert source.busy() == []
        assert await looked() == ended


def request(kind: str, **content: Any) -> dict[str, Any]:
    # A kernel does not take the same message twice.
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "", "version": "5.4"}
    message = {"header": {**header, "date": "2026-11-24T00:00:00Z"}, "content": content}
    return {**message, "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": []}


def hear(page: Any, kind: str) -> None:
    wait_for(lambda: json.loads(page.recv())["msg_type"] == kind)
