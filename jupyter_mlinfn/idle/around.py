"""What the service is handed: the server, the storage, whoever is away from the page, and other rooms."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .deadlines import ServerRules
from .models import Busy, Moment, Warning_
from .others import Others
from .pages import Pages
from .sources.page import PageSource


class Away(Protocol):
    """Tells the user away from the page (`mail.Mail`)."""

    def consider(self, warning: Warning_ | None, pages: Pages, now: Moment) -> None:
        """Tell of a warning, if it is due and no page has shown it; returns at once."""

    def sent(self, warning: Warning_ | None) -> Moment | None:
        """When the user was told of that end; None for not."""


class Kernels(Protocol):
    """See `sources.kernels.KernelSource`."""

    listener: Callable[[], None]

    async def executing(self) -> Sequence[Busy]: ...


async def _none() -> Sequence[str]:
    return ()


@dataclass
class Around:
    """What the room is handed by the app.

    Attributes:
        changed: what pages have to read is another.
        rules: what Jupyter Server itself would stop, as now.
        environment: of this process.
        write: the record of a stop to the storage; blocks, raises OSError.
        end: this process, with status 0; returns at once.
        away: None where nobody away from the page can be told.
        page: told of a person's input in pages.
        others: other rooms.
        kernels: those that run code, also outside of looks; None where there are none.
        notebooks: paths of the notebooks that have a kernel; raises whatever the managers do.
        may_stop: whether the hub lets this server stop itself; None where it does not say.
        ends, ends_later: what is closed with the room.
        log: the server's, which admins read.
    """

    changed: Callable[[], None] = lambda: None
    rules: Callable[[], ServerRules] = ServerRules
    environment: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[Mapping[str, Any]], None] = lambda _: None
    end: Callable[[], None] = lambda: None
    away: Away | None = None
    page: PageSource = field(default_factory=PageSource)
    others: Others = field(default_factory=Others)
    kernels: Kernels | None = None
    notebooks: Callable[[], Awaitable[Sequence[str]]] = _none
    may_stop: Callable[[], Awaitable[bool | None]] | None = None
    ends: list[Callable[[], None]] = field(default_factory=list)
    ends_later: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    log: logging.Logger | logging.LoggerAdapter[Any] = field(
        default_factory=lambda: logging.getLogger(__name__)
    )
