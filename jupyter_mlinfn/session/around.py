"""What this room is handed by the app: it knows no other room."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class Running(Protocol):
    """A kernel that runs code."""

    @property
    def kernel_id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def path(self) -> str | None: ...

    @property
    def since(self) -> float: ...


class End(Protocol):
    """Pages, kernels and the end of this server (`idle.for_session.ForSession`)."""

    def ask_pages(self) -> None:
        """Ask all pages which documents they have."""

    def pages(self) -> dict[str, Any]:
        """`{known, answered, silent, asking, unsaved}`."""

    async def running(self) -> Sequence[Running]:
        """The kernels that run code now."""

    def time(self, moment: float) -> str:
        """ISO 8601 of `Running.since`."""

    async def may_stop(self) -> bool | None:
        """Whether the hub lets this server stop itself; None where that is not known."""

    def stop(self, sentence: str, keep: bool | Sequence[str], *, save: bool) -> None:
        """Begin to end; returns at once. One that is under way goes on."""

    def call_off(self) -> bool:
        """Whether this server stays."""

    def stopping(self) -> dict[str, Any]:
        """`{phase, since, job, problem, sentence}`; the phase is None for none."""


class Terminal(Protocol):
    """A terminal of this server."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def pid(self) -> int | None: ...


class Storage(Protocol):
    """What would be lost (`storage.service.StorageService`)."""

    def begin_count(self) -> None: ...

    def ephemeral(self) -> dict[str, Any]: ...

    async def rescue_answer(self) -> dict[str, Any]: ...


class LastStop(Protocol):
    """The record of the stop before this start (`idle.last_stop.LastStop`); all calls block."""

    def read(self) -> dict[str, Any] | None:
        """Raises OSError, ValueError."""

    def note(self, record: Mapping[str, Any], **more: Any) -> None:
        """Raises OSError."""


@dataclass(frozen=True)
class Gpus:
    """Devices of the user's, as far as somebody has looked.

    Attributes:
        names: as a user knows them: ``MIG 1g.5gb``.
        slices: how many they are; None where they are no slices.
    """

    names: Sequence[str] = ()
    slices: int | None = None


async def _no_terminals() -> Sequence[Terminal]:
    return ()


@dataclass(frozen=True)
class Around:
    """Attributes:
    end, storage: made when they are first asked for.
    last_stop: the record of this server's.
    gpu: one reading, `{devices: [{name, memory_used, memory_total}], holders}`; may take seconds.
    gpus: what is known without looking.
    terminals: those that are open.
    environment: of this process.
    command: that starts it again, for a shell; None where nothing is known.
    changed: there is something new to read.
    """

    end: Callable[[], Awaitable[End]]
    storage: Callable[[], Awaitable[Storage]]
    last_stop: Callable[[], LastStop]
    gpu: Callable[[], Awaitable[Mapping[str, Any]]]
    gpus: Callable[[], Gpus] = Gpus
    terminals: Callable[[], Awaitable[Sequence[Terminal]]] = _no_terminals
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    changed: Callable[[], None] = lambda: None
    log: logging.Logger | logging.LoggerAdapter[Any] = field(
        default_factory=lambda: logging.getLogger(__name__)
    )
