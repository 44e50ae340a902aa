"""When others are told how far a count of what would be lost has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jupyter_mlinfn.storage.losses import ANNOUNCED_EVERY, Losses
from jupyter_mlinfn.storage.picture import Picture
from jupyter_mlinfn.storage.walk import Plan

from ..support.clock import Clock
from .picture import picture


async def test_the_first_word_comes_at_once_and_the_next_ones_seldom() -> None:
    clock = Clock()
    heard: list[int] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    tell: list[Callable[[dict[str, Any]], None]] = []

    def told(files: int) -> dict[str, Any]:
        return {"files": files, "bytes": 0, "biggest": [], "more": 0, "folders": [], "ignored": 0}

    async def count(_: Plan, __: Any, ___: int, progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        tell[:] = [progress]
        begun.set()
        await go_on.wait()
        return {**told(9), "unreadable": 0}

    async def look() -> tuple[Picture, Plan]:
        seen = picture("tmpfs_home")
        return seen, seen.plan(None)

    losses = Losses(look, count, lambda: heard.append(losses.known.files), clock)
    for _ in range(2):
        heard.clear()
        begun.clear()
        go_on.clear()
        losses.begin()
        await begun.wait()
        for files in range(1, 5):
            tell[0](told(files))
            assert losses.known.files == files
            clock.pass_time(ANNOUNCED_EVERY / 2)
        assert heard == [1, 3]
        go_on.set()
        assert (await losses.counted()).state == "known"
        assert heard == [1, 3, 9]
    await losses.close()
