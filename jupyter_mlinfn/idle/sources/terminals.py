"""Typing in terminals: the read time of their devices.

A program that reads what was typed moves the read time of its terminal, and what it prints moves the
write time only; that somebody looks at the times moves neither, and mount options such as `relatime`
are not asked. The kernel writes them once in eight seconds, to hide how fast somebody types
(`tty_update_time` in drivers/tty/tty_io.c): the last key may be as much later.
https://github.com/torvalds/linux/blob/master/drivers/tty/tty_io.c
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Literal

from ..models import Moment, Signal
from .stamps import Stamp

WINDOW = 8
"""Seconds, beginning at multiples of it, within which one time is kept."""


class TerminalSource:
    """Lives on the event loop's thread.

    Args:
        devices: path of the device by name of terminal: ``{"1": "/dev/pts/3"}``.
        wall: seconds since the epoch.
    """

    source: Literal["terminals"] = "terminals"

    def __init__(
        self,
        devices: Callable[[], Mapping[str, str]],
        *,
        clock: Callable[[], Moment] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._devices = devices
        self._wall = wall
        self._begun = clock()
        self._stamps: dict[tuple[str, str], Stamp] = {}
        self._last: tuple[Moment, str] | None = None

    async def look(self, now: Moment) -> Signal:
        wall = self._wall()
        here = {}
        for name, device in self._devices().items():
            try:
                read = os.stat(device).st_atime  # noqa: PTH116 - of each terminal at each look
            except OSError:
                continue  # Closed a moment ago.
            key = (name, device)
            stamp = here[key] = self._stamps.get(key) or Stamp(self._begun)
            # A key more in the same eight seconds would not show.
            moment = min(now, stamp.look(read, now, wall) + WINDOW - read % WINDOW)
            if self._last is None or moment > self._last[0]:
                self._last = moment, name
        self._stamps = here
        if self._last is None:
            return Signal("terminals", None)
        return Signal("terminals", self._last[0], f"Somebody typed in Terminal {self._last[1]}.")
