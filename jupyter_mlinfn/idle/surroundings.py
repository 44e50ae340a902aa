"""What an end needs of the service (`ending.Surroundings`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..threads import in_own_thread
from . import views
from .ending import Reason, Why
from .models import Moment, Signal
from .pages import Pages

if TYPE_CHECKING:
    from .service import IdleService

_NAMED_WITHIN = 0.2
"""Seconds for the names of notebooks, which a gateway may have to be asked for; of `Limits.outside` too."""

TOLD = 500
"""Documents that are written down, of those that pages tell of: whoever invents pages and documents
fills no storage."""


_FIRM = ("hub_maximum_age", "allocation", "server_timeout")
"""Whoever is not held off by what the hub is told."""


class AtTheEnd:
    """Lives on the event loop's thread."""

    def __init__(self, service: IdleService) -> None:
        self._service = service
        self.last: Signal | None = None
        """The last activity before the end began."""

    def begins(self) -> None:
        self.last = self._service.account.last()

    async def hold_off(self, seconds: float) -> None:
        hub = self._service.hub
        if hub is not None:
            await hub.tell_if_later(hub.needed(self._service.clocks.now() + seconds))

    async def still_wanted(self, since: Moment, *, worked: bool = False) -> bool:
        await self._service.account.refresh()
        await self._service.look(anew=True)
        # A rescue is work of this server's own programs.
        last = self._service.account.last(("processes",) if worked else ()).last
        return last is None or last <= since

    def stopped_by_others(self) -> Moment | None:
        now = self._service.clocks.now()
        ends = [each.at for each in self._service.deadlines if each.source in _FIRM and each.at > now]
        return min(ends, default=None)

    async def rescue(
        self, paths: Sequence[str] | None, seconds: float, began: Callable[[str], None]
    ) -> Mapping[str, Any] | None:
        rescue = self._service.around.others.rescue
        return await rescue(paths, seconds, began) if rescue is not None else None

    async def write_reason(self, reason: Reason) -> None:
        await _write(self._service, await record(self._service, reason))

    async def stop_through_hub(self) -> bool:
        hub = self._service.hub
        return hub is not None and await hub.hub.stop_own_server()

    def end_process(self) -> None:
        self._service.around.end()


async def record(service: IdleService, reason: Reason) -> dict[str, Any]:
    """What `last-stop.json` tells the next start; what others give back is added in `_write`."""
    clocks, ending = service.clocks, service.ending
    last = service.at_the_end.last if ending.phase is not None else None
    rescued = ending.rescued
    lost = service.around.others.lost()
    if rescued is not None and not isinstance(reason.keep, bool):
        # Nobody has counted what was not chosen and is not among what is left.
        lost = None
    elif rescued is not None and rescued["left_count"] is not None:
        lost = {"files": rescued["left_count"], "bytes": rescued["left_bytes"] or 0}
    return {
        "time": clocks.iso(clocks.now()),
        "why": reason.why,
        "sentence": reason.sentence,
        "last_activity": views.signal(last or service.account.last(), clocks),
        "pages": told_by_pages(service.pages, reason, asked=ending.phase is not None),
        "open": sorted({*service.pages.open(), *await _notebooks(service)})[:TOLD],
        "rescue": rescued,
        "lost": lost,
    }


async def _notebooks(service: IdleService) -> Sequence[str]:
    try:
        return await asyncio.wait_for(service.around.notebooks(), _NAMED_WITHIN)
    except Exception as error:  # noqa: BLE001 - the managers may be anybody's; the rest is told all the same
        service.around.log.info("Which notebooks have a kernel could not be told: %r", error)
        return ()


def told_by_pages(pages: Pages, reason: Reason, *, asked: bool) -> dict[str, Any]:
    """What pages saved and what they could not.

    Args:
        asked: whether they were told to save; where others stop this server they are not.
    """
    answers = pages.saved() if asked and reason.save else ()
    silent = pages.waiting(visible=False) if asked else len(pages)
    return {
        "known": len(pages),
        # Whoever did not want anything saved need not be told that it was not.
        "silent": silent if reason.save else 0,
        "saved": sorted({path for each in answers for path in each["documents"]})[:TOLD],
        "failed": [failure for each in answers for failure in each["failed"]][:TOLD],
    }


async def note_stop_of_others(service: IdleService) -> None:
    """Write down, quickly, that somebody else stops this server, unless we have said why already.

    Outside a hub nobody else does but its user, who knows.
    """
    ending = service.ending
    if ending.written or (ending.phase is None and service.hub is None and service.policy.timeout is None):
        return
    reason = ending.reason or _guess(service)

    async def note() -> None:
        await _write(service, await record(service, reason))

    try:
        await asyncio.wait_for(note(), ending.limits.outside)
    except asyncio.TimeoutError:
        service.around.log.warning(
            "The storage did not take in %.1f s why this server is stopped.", ending.limits.outside
        )
    except OSError as error:
        service.around.log.warning(
            "Why this server is stopped could not be written to the storage: %r", error
        )


async def _write(service: IdleService, body: Mapping[str, Any]) -> None:
    around = service.around

    def write() -> None:
        try:
            freed = around.others.freed()
        except Exception as error:  # noqa: BLE001 - other rooms fail in their own ways: the reason is told
            around.log.warning("What this server gives back could not be told: %r", error)
            freed = None
        around.write({**body, "freed": freed})

    await in_own_thread("mlinfn-last-stop", write)


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
