"""A person's input in the pages of this server, as pages report it; the pages are in `idle.pages`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from ..models import Moment, Signal


class PageSource:
    """Lives on the event loop's thread."""

    source: Literal["page"] = "page"

    def __init__(self, *, clock: Callable[[], Moment] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._last: Moment | None = None

    async def look(self, now: Moment) -> Signal:
        detail = "" if self._last is None else "Somebody used the mouse or the keyboard in a page."
        return Signal("page", self._last, detail)

    def report(self, *, input_seconds_ago: float) -> None:
        """What a page says.

        Args:
            input_seconds_ago: since a person's last input there. Before this server's start it is
                not this server's, and negative ones are no time at all.
        """
        at = self._clock() - max(0.0, input_seconds_ago)
        if at >= self._begun and (self._last is None or at > self._last):
            self._last = at
