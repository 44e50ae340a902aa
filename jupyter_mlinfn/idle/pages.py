"""The pages that show this server, as far as they report."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .models import Moment

MOST = 200
"""Pages that are remembered: who invents ids fills no memory."""

_REMEMBERED = 20

SILENT_AFTER = 2.0
"""Seconds after a question at which a page that has not answered is silent: it may be frozen."""

_ASKED_FOR = 120.0
"""Seconds for which pages are told of a question: those that wake up or are opened later need not answer."""


@dataclass
class Page:
    """One page.

    Attributes:
        saved: its answer to the present saving; None for none yet.
        documents: its answer to the last question that it answered.
    """

    heard: Moment
    visible: bool = False
    saved: Mapping[str, Any] | None = None
    documents: Mapping[str, Any] | None = None

    @property
    def open(self) -> Collection[str]:
        """The documents that it had when it last told of them."""
        for told in (self.saved, self.documents):
            if told is not None and "open" in told:
                return list(told["open"])
        return ()


@dataclass(frozen=True)
class Told:
    """What the pages answered to the last question.

    Attributes:
        known: pages that there are.
        silent: those that have not answered and are not expected to any more.
        asking: whether some may still answer in time.
        unsaved: paths of documents with changes that are not saved.
    """

    known: int = 0
    answered: int = 0
    silent: int = 0
    asking: bool = False
    unsaved: Sequence[str] = ()


class Pages:
    """Who is there, what they have shown, and what they have saved."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._shown: list[str] = []
        self._question: tuple[str, Moment] | None = None

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
        if "documents" in report and self._question and report["documents"]["asked"] == self._question[0]:
            page.documents = report["documents"]
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

    def ask(self, now: Moment) -> None:
        """Ask all pages which documents they have."""
        self._question = uuid.uuid4().hex[:12], now

    def question(self, now: Moment) -> str | None:
        """The id of what pages are asked; None for nothing."""
        if self._question is None or now - self._question[1] > _ASKED_FOR:
            return None
        return self._question[0]

    def told(self, now: Moment) -> Told:
        """What they have answered so far; before the first question nobody is silent."""
        if self._question is None:
            return Told(len(self._pages))
        asked, since = self._question
        answers = [
            page.documents
            for page in self._pages.values()
            if page.documents is not None and page.documents["asked"] == asked
        ]
        missing = len(self._pages) - len(answers)
        asking = missing > 0 and now - since < SILENT_AFTER
        unsaved = sorted({path for each in answers for path in each["unsaved"]})
        return Told(len(self._pages), len(answers), 0 if asking else missing, asking, unsaved)

    def open(self) -> Collection[str]:
        """The documents that pages had open, as far as they were ever asked."""
        return {path for page in self._pages.values() for path in page.open}

    def has_shown(self, warning: str) -> bool:
        """Whether a person was shown that warning in a page."""
        return warning in self._shown

    def __len__(self) -> int:
        return len(self._pages)
