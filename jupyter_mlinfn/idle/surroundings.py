"""What an end needs of the service (`ending.Surroundings`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..threads import in_own_thread
from . import views
from .ending import Reason, Why, saved_by_pages
from .models import Moment

if TYPE_CHECKING:
    from .service import IdleService

QUICKLY = 0.5
"""Seconds: whoever stops this server may give it one before worse (KubeSpawner, `delete_grace_period`)."""


class AtTheEnd:
    """Lives on the event loop's thread."""

    def __init__(self, service: IdleService) -> None:
        self._service = service

    async def hold_off(self, seconds: float) -> None:
        hub = self._service.hub
        if hub is not None:
            await hub.tell_if_later(hub.needed(self._service.clocks.now() + seconds))

    async def still_wanted(self, since: Moment) -> bool:
        await self._service.account.refresh()
        await self._service.look(anew=True)
        last = self._service.account.last().last
        return last is None or last <= since

    async def write_reason(self, reason: Reason) -> None:
        await _write(self._service, record(self._service, reason))

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


async def note_stop_of_others(service: IdleService) -> None:
    """Write down, quickly, that somebody else stops this server, unless we have said why already.

    Outside a hub nobody else does but its user, who knows.
    """
    ending = service.ending
    if ending.written or (service.hub is None and service.policy.timeout is None):
        return
    body = record(service, ending.reason or _guess(service))
    try:
        await asyncio.wait_for(_write(service, body), QUICKLY)
    except asyncio.TimeoutError:
        service.around.log.warning("The storage did not take in %.1f s why this server is stopped.", QUICKLY)
    except OSError as error:
        service.around.log.warning(
            "Why this server is stopped could not be written to the storage: %r", error
        )


async def _write(service: IdleService, body: Mapping[str, Any]) -> None:
    await in_own_thread("mlinfn-last-stop", lambda: service.around.write(body))


def _guess(service: IdleService) -> Reason:
    """Whose stop it is, by the deadlines that have passed."""
    now = service.clocks.now()
    causes: dict[str, Why] = {
        "hub_culler": "hub_culler",
        "hub_maximum_age": "maximum_age",
        "server_timeout": "server_timeout",
        "allocation": "allocation",
    }
    for each in service.deadlines:
        if each.source in causes and each.at <= now + _SOON:
            return Reason(causes[each.source], each.detail)
    return Reason(
        "outside", "It was stopped from outside: in JupyterHub's pages, by an administrator or the machine."
    )


_SOON = 2.0
