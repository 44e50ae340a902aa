"""The pages that show this server, as far as they report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .models import Moment

MOST = 200
"""Pages that are remembered: who invents ids fills no memory."""

_REMEMBERED = 20


@dataclass
class Page:
    """One page.

    Attributes:
        saved: its answer to the present saving; None for none yet.
    """

    heard: Moment
    visible: bool = False
    saved: Mapping[str, Any] | None = None


class Pages:
    """Who is there, what they have shown, and what they have saved."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._shown: list[str] = []

    def hear(self, report: Mapping[str, Any], now: Moment) -> Page | None:
        """Note a report, a body of `POST idle/page`.

        Returns:
            The page; None for one that goes away.
        """
        name = report["page"]
        page = self._pages.pop(name, None) or Page(now)
        page.heard = now
        page.visible = report.get("visible", page.visible)
        if "shown" in report:
            self._shown = [*self._shown[-_REMEMBERED:], report["shown"]]
        if "saved" in report:
            page.saved = report["saved"]
        # Also one that goes away has saved what it says.
        if report.get("closing") and page.saved is None:
            return None
        if report.get("closing"):
            page.visible = False
        self._pages[name] = page
        while len(self._pages) > MOST:
            del self._pages[next(iter(self._pages))]
        return page

    def ask_to_save(self) -> None:
        """A saving begins: earlier answers are not to it."""
        for page in self._pages.values():
            page.saved = None

    def saved(self) -> Sequence[Mapping[str, Any]]:
        """The answers to the present saving."""
        return [page.saved for page in self._pages.values() if page.saved is not None]

    def waiting(self, *, visible: bool) -> int:
        """How many known pages, or visible ones, have not answered yet."""
        return sum(1 for page in self._pages.values() if page.saved is None and (page.visible or not visible))

    def has_shown(self, warning: str) -> bool:
        """Whether a person was shown that warning in a page."""
        return warning in self._shown

    def __len__(self) -> int:
        return len(self._pages)
