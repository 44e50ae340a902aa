"""What an end needs of the service (`ending.Surroundings`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from . import views
from .ending import Reason, saved_by_pages
from .models import Moment

if TYPE_CHECKING:
    from .service import IdleService


class AtTheEnd:
    """Lives on the event loop's thread."""

    def __init__(self, service: IdleService) -> None:
        self._service = service

    async def hold_off(self, seconds: float) -> None:
        hub = self._service.hub
        if hub is not None:
            await hub.tell_if_later(hub.needed(self._service.clocks.now() + seconds))

    async def still_wanted(self, since: Moment) -> bool:
        await self._service.look(anew=True)
        last = self._service.account.last().last
        return last is None or last <= since

    async def write_reason(self, reason: Reason) -> None:
        await asyncio.to_thread(self._service.around.write, record(self._service, reason))

    async def stop_through_hub(self) -> bool:
        hub = self._service.hub
        return hub is not None and await hub.hub.stop_own_server()

    def end_process(self) -> None:
        self._service.around.end()


def record(service: IdleService, reason: Reason) -> dict[str, Any]:
    """What `last-stop.json` tells the next start."""
    clocks, last = service.clocks, service.account.last()
    return {
        "time": clocks.iso(clocks.now()),
        "why": reason.why,
        "sentence": reason.sentence,
        "last_activity": views.signal(last, clocks),
        "pages": saved_by_pages(service.pages),
    }
