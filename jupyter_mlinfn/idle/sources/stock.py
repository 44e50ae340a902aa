"""What other extensions report to Jupyter Server's own account of activity, one by one.

`ServerWebApplication.last_activity` takes the latest of: its start; kernels; each setting whose name
ends in `_last_activity`; each entry of the setting `last_activity_times`
(jupyter_server/serverapp.py). Those that have a source of their own here are replaced by it. Whatever
else there is was put there by somebody who means activity.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from ..models import Moment, Signal
from .stamps import Stamp

PROXY = "jupyter-server-proxy"

REPLACED = frozenset({"api_last_activity", "terminal_last_activity"})
"""By `page` and what a request does; by `terminals`. Both move with what pages do by themselves."""

_ENDING = "_last_activity"


class StockSource:
    """Lives on the event loop's thread.

    Args:
        settings: those of the web application; read at each look.
        replaced: names that a source of ours stands for: add `PROXY` where proxied applications are
            observed.
        wall: seconds since the epoch.
    """

    source: Literal["other"] = "other"

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        replaced: Collection[str] = REPLACED,
        clock: Callable[[], Moment] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._replaced = replaced
        self._wall = wall
        self._begun = clock()
        self._stamps: dict[str, Stamp] = {}

    async def look(self, now: Moment) -> Signal:
        last: tuple[Moment, str] | None = None
        for name, value in self._reported():
            stamp = self._stamps.setdefault(name, Stamp(self._begun))
            moment = stamp.look(value.timestamp(), now, self._wall())
            if last is None or moment > last[0]:
                last = moment, name.removesuffix(_ENDING)
        if last is None:
            return Signal("other", None)
        return Signal("other", last[0], f"The extension {last[1]} reported activity.")

    def _reported(self) -> Iterator[tuple[str, datetime]]:
        named = {name: value for name, value in self._settings.items() if name.endswith(_ENDING)}
        for name, value in {**named, **self._settings.get("last_activity_times", {})}.items():
            # Whatever is no time would fail Jupyter Server itself.
            if name not in self._replaced and isinstance(value, datetime):
                yield name, value
