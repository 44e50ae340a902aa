"""How long a device was held and in use since the server started: an estimate from a reading a minute.

- Held: it was the user's. From the server's start, or from when it was first seen.
- Memory held: more of its memory was used than the baseline and `NOISE`. The baseline is the least that
  was seen used since the server started; where the driver tells what it keeps for itself apart, at most
  `IDLE_AT_MOST`, so that a program that was there from the first reading on counts too.
- Busy: a kernel of the server was running a cell. Whether it did so on the GPU nobody tells under MIG.
- In use: either of the two.

Each reading stands for the time since the one before, or for `STANDS_FOR`, where that is longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..times import iso, utc_now
from .models import Device, Memory

NOISE = 32 * 1024**2
IDLE_AT_MOST = 64 * 1024**2
"""Bytes; a CUDA context alone takes more than both together."""

STANDS_FOR = 120.0
"""Seconds that a reading may stand for at most: what lies longer back is not known."""


@dataclass
class Account:
    """Seconds."""

    held: float = 0.0
    memory: float = 0.0
    busy: float = 0.0
    used: float = 0.0

    def add(self, seconds: float, *, memory: bool, busy: bool) -> None:
        known = min(seconds, STANDS_FOR)
        self.held += seconds
        self.memory += known if memory else 0.0
        self.busy += known if busy else 0.0
        self.used += known if memory or busy else 0.0


class Ledger:
    """Lives on one thread.

    Args:
        clock: monotonic, seconds; at 0 of the account the server starts.
    """

    def __init__(self, *, accounting: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.accounting = accounting
        self._clock = clock
        self._started = self._last = clock()
        self.since: datetime = utc_now()
        self._held: Sequence[Device] = ()
        self._lowest: dict[str, int] = {}
        self._first = True
        self._all = Account()
        self.accounts: dict[str, Account] = {}
        """By UUID."""

    def reading(self, held: Sequence[Device], memory: Mapping[str, Memory], *, busy: bool) -> None:
        """What was seen now.

        Args:
            held: the user's devices; none where it cannot be told which are.
            memory: by UUID; a device that is held may be missing, and then only that is known of it.
        """
        now = self._clock()
        seconds = now - self._last
        self._last = now
        # A device comes with the container, so at the first reading it was there all the time. One
        # that has gone is counted to here: what was told of it before must not become less.
        before, self._first, self._held = (held if self._first else self._held), False, held
        in_use = {each.uuid: self._in_use(each.uuid, memory) for each in held}
        for device in before:
            account = self.accounts.setdefault(device.uuid, Account())
            there = device.uuid in in_use
            account.add(seconds, memory=there and in_use[device.uuid], busy=there and busy)
        if before:
            there = any(each.uuid in in_use for each in before)
            used = any(in_use.get(each.uuid, False) for each in before)
            self._all.add(seconds, memory=used, busy=there and busy)

    def _in_use(self, uuid: str, memory: Mapping[str, Memory]) -> bool:
        read = memory.get(uuid)
        if read is None:
            return False
        lowest = self._lowest[uuid] = min(read.used, self._lowest.get(uuid, read.used))
        baseline = lowest if read.reserved is None else min(lowest, IDLE_AT_MOST)
        return read.used > baseline + NOISE

    def held_seconds(self, uuid: str) -> float:
        """Up to now."""
        running = self._clock() - self._last if any(each.uuid == uuid for each in self._held) else 0.0
        account = self.accounts.get(uuid)
        return running + (account.held if account else 0.0)

    def to_json(self) -> dict[str, Any]:
        """`#/components/schemas/GpuUsage`."""
        running = self._clock() - self._last if self._held else 0.0
        known = self.accounting and bool(self.accounts or self._held)
        slices = [device.slices for device in self._held if device.slices is not None]
        return {
            "since": iso(self.since),
            "held_seconds": round(self._all.held + running) if self.accounts or self._held else None,
            "used_seconds": round(self._all.used) if known else None,
            "memory_seconds": round(self._all.memory) if known else None,
            "busy_seconds": round(self._all.busy) if known else None,
            "slices": sum(slices) if slices else None,
            "accounting": self.accounting,
        }
