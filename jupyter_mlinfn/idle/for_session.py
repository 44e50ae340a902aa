"""What the room `session` is told by this one, and what it may have done (`session.around.End`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .ending import Reason
from .models import Busy

if TYPE_CHECKING:
    from .service import IdleService


class ForSession:
    """Lives on the event loop's thread."""

    def __init__(self, service: IdleService) -> None:
        self._service = service

    def ask_pages(self) -> None:
        """Ask all pages which documents they have."""
        self._service.ask_pages()

    def pages(self) -> dict[str, Any]:
        """What they answered so far."""
        told = self._service.pages.told(self._service.clocks.now())
        return {
            "known": told.known,
            "answered": told.answered,
            "silent": told.silent,
            "asking": told.asking,
            "unsaved": list(told.unsaved),
        }

    async def running(self) -> Sequence[Busy]:
        """The kernels that run code now, longest first."""
        kernels = self._service.around.kernels
        return await kernels.executing() if kernels is not None else ()

    def time(self, moment: float) -> str:
        """ISO 8601 of a moment of this room."""
        return self._service.clocks.iso(moment)

    async def may_stop(self) -> bool | None:
        """Whether the hub lets this server stop itself; None where it does not say, or there is none."""
        may_stop = self._service.around.may_stop
        return await may_stop() if may_stop is not None else None

    def stop(self, sentence: str, keep: bool | Sequence[str], *, save: bool) -> None:
        """Begin to end; returns at once."""
        self._service.ending.begin(Reason("user", sentence, extendable=True, save=save, keep=keep))

    def call_off(self) -> bool:
        """Whether this server stays."""
        return self._service.ending.call_off()

    def stopping(self) -> dict[str, Any]:
        """How far the end is."""
        ending = self._service.ending
        return {
            "phase": ending.phase,
            "since": self.time(ending.began) if ending.phase is not None else None,
            "job": ending.job if ending.phase is not None else None,
            "problem": ending.problem or None,
            "sentence": ending.reason.sentence if ending.reason is not None else "",
        }
