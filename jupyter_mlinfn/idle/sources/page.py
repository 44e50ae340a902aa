"""Pages that are open on this server, and a person's input that they report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..models import Moment, Signal

FORGOTTEN_AFTER = 150.0
"""Seconds without a word after which a page is taken for gone: what it shows is reported each minute."""

_MOST = 50


@dataclass(frozen=True)
class Page:
    """One page, as last reported.

    Attributes:
        heard: when it last reported.
        visible: whether a person can see it; None where it did not say.
    """

    id: str
    heard: Moment
    visible: bool | None = None


class PageSource:
    """Lives on the event loop's thread.

    Args:
        forgotten_after: seconds; pages are many where somebody sends nonsense: the oldest go first.
    """

    source: Literal["page"] = "page"

    def __init__(
        self, *, forgotten_after: float = FORGOTTEN_AFTER, clock: Callable[[], Moment] = time.monotonic
    ) -> None:
        self._forgotten_after = forgotten_after
        self._clock = clock
        self._begun = clock()
        self._pages: dict[str, Page] = {}
        self._last: Moment | None = None

    async def look(self, now: Moment) -> Signal:
        detail = "" if self._last is None else "Somebody used the mouse or the keyboard in a page."
        return Signal("page", self._last, detail)

    def report(
        self,
        page: str,
        *,
        input_seconds_ago: float | None = None,
        visible: bool | None = None,
        closing: bool = False,
    ) -> None:
        """What a page says.

        Args:
            input_seconds_ago: since a person's last input there; None: nothing new. Before this
                server's start it is not this server's, and negative ones are no time at all.
            closing: it goes away, and may be another with that id if it is heard again.
        """
        now = self._clock()
        if input_seconds_ago is not None:
            at = now - max(0.0, input_seconds_ago)
            if at >= self._begun and (self._last is None or at > self._last):
                self._last = at
        before = self._pages.pop(page, None)
        if closing:
            return
        if visible is None and before is not None:
            visible = before.visible
        self._pages[page] = Page(page, now, visible)
        while len(self._pages) > _MOST:
            del self._pages[next(iter(self._pages))]

    @property
    def pages(self) -> Sequence[Page]:
        """Those that were heard of lately, the latest last."""
        oldest = self._clock() - self._forgotten_after
        self._pages = {name: page for name, page in self._pages.items() if page.heard >= oldest}
        return list(self._pages.values())

    @property
    def seen(self) -> bool:
        """Whether a person may see one of them."""
        return any(page.visible for page in self.pages)
