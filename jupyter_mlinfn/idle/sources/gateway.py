"""Code that kernels behind a gateway run (`GatewayClient.url`): this server only sees what it asks for.

Such kernels are no processes here, and their messages reach this server only through an open page. So
the gateway is asked, which is the one thing that it can be asked for: busy or idle, and its own last
activity. A Jupyter Server of today leaves out of the latter what a page asks by itself
(`untracked_message_types`); behind an older one a tab that is opened counts. A kernel that waits for
`input()` is busy there like any other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from ..models import Busy, Moment, Signal
from .kernels import Name
from .stamps import Stamp

ASK_EVERY = 30.0

STUCK = 60.0
"""Seconds after which a question that is not answered will not be."""


class GatewayKernelSource:
    """Lives on the event loop's thread.

    Args:
        models: the kernels as Jupyter's REST call gives them; waits for the gateway.
        names: title and path by id of kernel.
        ask_every: seconds between two questions.
        wall: seconds since the epoch.
    """

    source: Literal["kernels"] = "kernels"

    def __init__(
        self,
        models: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]],
        names: Callable[[], Awaitable[Mapping[str, Name]]],
        *,
        ask_every: float = ASK_EVERY,
        clock: Callable[[], Moment] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._models = models
        self._ask_names = names
        self._ask_every = ask_every
        self._clock = clock
        self._wall = wall
        self._begun = clock()
        self._asked: Moment = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._stamps: dict[str, Stamp] = {}
        self._since: dict[str, Moment] = {}
        self._names: Mapping[str, Name] = {}
        self._last: Moment | None = None
        self.listener: Callable[[], None] = lambda: None
        """Called when an answer of the gateway tells of another kernel, or one less, at work."""

    async def look(self, now: Moment) -> Signal:
        """What the gateway said last.

        Raises:
            Exception: it did not answer the last question: what its kernels do is not known.
        """
        if self._asking is not None and now - self._asked > max(STUCK, 2 * self._ask_every):
            raise TimeoutError("the gateway does not answer")
        if self._asking is None and now - self._asked >= self._ask_every:
            self._asked = now
            self._asking = asyncio.ensure_future(self._ask())
        if self._error is not None:
            raise self._error
        busy = len(self._since)
        sentence = {0: "", 1: "A kernel behind the gateway is running code."}
        return Signal(
            "kernels", self._last, sentence.get(busy, f"{busy} kernels behind the gateway are running code.")
        )

    async def refresh(self) -> None:
        """Ask now, and wait for the answer."""
        if self._asking is None:
            self._asked = self._clock()
            self._asking = asyncio.ensure_future(self._ask())
        await asyncio.shield(self._asking)

    def busy(self) -> Sequence[Busy]:
        """The kernels that run code, since the answer that first said so."""
        return [
            Busy(each, *self._names.get(each, ("A kernel", None)), at) for each, at in self._since.items()
        ]

    def title_of(self, kernel_id: str) -> str | None:
        """What the user knows a kernel by; None where nobody asked."""
        return self._names[kernel_id][0] if kernel_id in self._names else None

    async def executing(self) -> Sequence[Busy]:
        """The kernels that run code, as the gateway said last; it is asked again now and then."""
        now = self._clock()
        if self._asking is None and now - self._asked >= self._ask_every:
            self._asked = now
            self._asking = asyncio.ensure_future(self._ask())
        return sorted(self.busy(), key=lambda each: each.since)

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            models = await self._models()
            if any(model.get("execution_state") == "busy" for model in models):
                self._names = await self._ask_names()
            self._take(models)
            self._error = None
        except Exception as error:  # noqa: BLE001 - told by the next look
            self._error = error
        finally:
            self._asking = None

    def _take(self, models: Sequence[Mapping[str, Any]]) -> None:
        now, wall = self._clock(), self._wall()
        moments = []
        for model in models:
            stamp = self._stamps.setdefault(model["id"], Stamp(self._begun))
            moments.append(stamp.look(_epoch(model["last_activity"]), now, wall))
        busy = {model["id"] for model in models if model.get("execution_state") == "busy"}
        if busy or self._since:
            # One that was busy when it was last looked at has ended since.
            moments.append(now)
        moved = busy != set(self._since)
        self._since = {each: self._since.get(each, now) for each in busy}
        here = {model["id"] for model in models}
        self._stamps = {each: stamp for each, stamp in self._stamps.items() if each in here}
        self._last = max([*moments, *([] if self._last is None else [self._last])], default=None)
        if moved:
            self.listener()


def _epoch(text: str) -> float:
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
