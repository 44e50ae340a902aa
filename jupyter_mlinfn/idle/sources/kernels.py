"""Code that kernels run. What they do is told by `observers.kernels`.

What counts is a request to execute code, and any other request that takes its time: the callback of
a widget may train for an hour. What a page asks by itself (completion, the state of widgets, the
debugger) is over at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..models import Busy, Moment, Signal

_log = logging.getLogger(__name__)

Name = tuple[str, str | None]
"""Title and path of a kernel, as the user knows it."""

AT_ONCE = 5.0
"""Seconds: a request that is not to execute code is work if it takes longer."""

_NAMES_FRESH = 30.0
_EXECUTE = "execute_request"
_HOUSEKEEPING = frozenset(
    {"kernel_info_request", "comm_info_request", "debug_request", "interrupt_request", "shutdown_request"}
    | {"create_subshell_request", "delete_subshell_request", "list_subshell_request"}
)


@dataclass(frozen=True)
class Request:
    """What a kernel says it is working on.

    Attributes:
        id: of the message.
        subshell: each works on one request at a time; None for the main one.
            https://jupyter-client.readthedocs.io/en/stable/messaging.html
    """

    id: str
    kind: str
    subshell: str | None = None


@dataclass
class _Work:
    request: Request
    since: Moment

    def counts_at(self, now: Moment) -> bool:
        return self.request.kind == _EXECUTE or now - self.since >= AT_ONCE


@dataclass
class _Kernel:
    works: dict[str | None, _Work] = field(default_factory=dict)
    waits: bool = False


async def _no_names() -> Mapping[str, Name]:
    return {}


class KernelSource:
    """Lives on the event loop's thread.

    Args:
        present: whether there is such a kernel still; one that died says no more of itself.
        names: title and path by id of kernel, asked while one is busy, twice a minute at most.
        always_named: asked also while none is.
    """

    source: Literal["kernels"] = "kernels"

    def __init__(
        self,
        present: Callable[[str], bool] = lambda _: True,
        names: Callable[[], Awaitable[Mapping[str, Name]]] = _no_names,
        *,
        always_named: bool = False,
        clock: Callable[[], Moment] = time.monotonic,
    ) -> None:
        self._always_named = always_named
        self._present = present
        self._ask_names = names
        self._clock = clock
        self._kernels: dict[str, _Kernel] = {}
        self._names: Mapping[str, Name] = {}
        self._named: Moment = float("-inf")
        self._last: Moment | None = None
        self._busy: Sequence[Busy] = ()
        self.listener: Callable[[], None] = lambda: None
        """Called when a kernel begins or ends its work, or is gone."""

    async def look(self, now: Moment) -> Signal:
        for kernel_id in [each for each in self._kernels if not self._present(each)]:
            self.gone(kernel_id)
        at_work = self._at_work(now)
        if (at_work or self._always_named) and now - self._named > _NAMES_FRESH:
            self._named = now
            self._names = await self._ask_names()
        self._busy = [Busy(each, *self._name(each), since) for each, since in at_work.items()]
        if at_work:
            self._last = now
        return Signal("kernels", self._last, self._detail())

    def busy(self) -> Sequence[Busy]:
        """The kernels that run code, as of the last look; none that waits for an answer to `input()`."""
        return self._busy

    def title_of(self, kernel_id: str) -> str | None:
        """What the user knows a kernel by; None where nobody asked."""
        return self._names[kernel_id][0] if kernel_id in self._names else None

    def begins(self, kernel_id: str, request: Request) -> None:
        """The kernel says that it is busy with a request."""
        if request.kind in _HOUSEKEEPING:
            return
        now = self._clock()
        kernel = self._kernels.setdefault(kernel_id, _Kernel())
        self._end(kernel.works.pop(request.subshell, None), now)
        kernel.works[request.subshell] = _Work(request, now)
        if request.kind == _EXECUTE:
            self._last = now
            self.listener()

    def ends(self, kernel_id: str, request: Request) -> None:
        """The kernel says that it is idle after a request."""
        kernel = self._kernels.get(kernel_id)
        work = kernel.works.get(request.subshell) if kernel is not None else None
        if kernel is None or work is None or work.request.id != request.id:
            return
        del kernel.works[request.subshell]
        if request.kind == _EXECUTE:
            kernel.waits = False
        self._end(work, self._clock())
        self.listener()

    def asks(self, kernel_id: str) -> None:
        """The kernel waits for somebody to answer `input()`."""
        kernel = self._kernels.setdefault(kernel_id, _Kernel())
        if not kernel.waits and any(work.counts_at(self._clock()) for work in kernel.works.values()):
            self._last = self._clock()
        kernel.waits = True

    def answered(self, kernel_id: str) -> None:
        """Somebody has."""
        kernel = self._kernels.get(kernel_id)
        if kernel is not None and kernel.waits:
            kernel.waits = False
            self._last = self._clock()

    def gone(self, kernel_id: str) -> None:
        """The kernel has ended, or another process has taken its place."""
        kernel = self._kernels.pop(kernel_id, None)
        if kernel is not None and not kernel.waits:
            for work in kernel.works.values():
                self._end(work, self._clock())
        if kernel is not None:
            self.listener()

    async def executing(self) -> Sequence[Busy]:
        """The kernels that run code now, also those that wait for an answer to `input()`: what they do is
        not finished. Longest first."""
        for kernel_id in [each for each in self._kernels if not self._present(each)]:
            self.gone(kernel_id)
        now = self._clock()
        at_work = self._at_work(now, waiting=True)
        if at_work.keys() - self._names.keys():
            self._named = now
            try:
                self._names = await self._ask_names()
            except Exception as error:  # noqa: BLE001 - the managers may be anybody's: a name is all that is missing
                _log.warning("The names of kernels could not be asked for: %r", error)
        found = [Busy(each, *self._name(each), since) for each, since in at_work.items()]
        return sorted(found, key=lambda each: each.since)

    def _end(self, work: _Work | None, now: Moment) -> None:
        if work is not None and work.counts_at(now):
            self._last = now

    def _at_work(self, now: Moment, *, waiting: bool = False) -> dict[str, Moment]:
        found = {}
        for kernel_id, kernel in self._kernels.items():
            since = [work.since for work in kernel.works.values() if work.counts_at(now)]
            if since and (waiting or not kernel.waits):
                found[kernel_id] = min(since)
        return found

    def _name(self, kernel_id: str) -> Name:
        return self._names.get(kernel_id, ("A kernel", None))

    def _detail(self) -> str:
        sentences = []
        if len(self._busy) == 1:
            sentences.append(f"{self._busy[0].title} is running code.")
        elif self._busy:
            sentences.append(f"{len(self._busy)} kernels are running code.")
        waiting = sum(kernel.waits for kernel in self._kernels.values())
        if waiting:
            who = "A kernel waits" if waiting == 1 else f"{waiting} kernels wait"
            sentences.append(f"{who} for an answer to input(), which does not count.")
        return " ".join(sentences)
