"""How far a rescue is, as its worker process tells it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .passes import Total

Say = Callable[[str, Mapping[str, Any]], None]

_EVERY = 0.2
"""Seconds between two messages."""


class Telling:
    """Tells what is new, not too often.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._moved = 0
        self._moving = threading.Lock()
        self._told = float("-inf")
        self._said: Mapping[str, Any] = {}

    def moved(self, count: int) -> None:
        """So many bytes were copied, or count for nothing after all; on any thread."""
        with self._moving:
            self._moved += count

    def tell(self, phase: str, kept: int = 0, total: Total | None = None, *, at_once: bool = False) -> None:
        """Args:
        kept: files under their names.
        total: None where it is not known.
        """
        now = self._clock()
        if now - self._told < _EVERY and not at_once:
            return
        self._told = now
        said = {
            "phase": phase,
            "files_done": kept if total else None,
            "files_total": total.files if total else None,
            "bytes_done": self._moved if total else None,
            "bytes_total": total.bytes if total else None,
        }
        if said != self._said:
            self._said = said
            self._say("progress", said)
