"""The door of the room: its service is made when it is first needed."""

from __future__ import annotations

import asyncio

from jupyter_mlinfn.gpu.room import GpuRoom


async def test_two_who_come_first_at_once_get_one_service() -> None:
    room = GpuRoom(accounting=False)
    first, second = await asyncio.gather(room.service(), room.service())

    assert first is second
    first.close()
