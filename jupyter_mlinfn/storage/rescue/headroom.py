"""How much may still be written: the limit that was given, and what the storage has left but a reserve."""

from __future__ import annotations

import os
import time

from ...sizes import in_words

_RESERVE = 64 * 1024**2
_SHARE = 20
"""The reserve is a twentieth of a small volume."""
_FILES = 20
"""Inodes that are left to others."""
_ASKED_EVERY = 0.5
"""Seconds: on a network volume each question takes a round trip."""
_FILE = 4096
"""Bytes that a file takes besides its content, and at least."""


class Headroom:
    """Lives on one thread.

    Args:
        folder: descriptor of one on the storage.
        limit: bytes; None: no limit.
    """

    def __init__(self, folder: int, limit: int | None) -> None:
        self._folder = folder
        self._limit = limit
        self._taken = 0
        self._full_from: int | None = None
        self._bytes = self._files = 0
        self._counts_files = False
        self._asked = float("-inf")
        self._pending = self._pending_files = 0

    def refusal(self, weight: int) -> str:
        """Why a file of that many bytes is not copied; empty where there is room for it."""
        if self._limit is not None and self._taken + weight > self._limit:
            return f"It is more than the limit of {in_words(self._limit)} in all."
        if self._full_from is not None and weight >= self._full_from:
            return "Your private storage is full."
        if time.monotonic() - self._asked > _ASKED_EVERY or self._bytes < weight + _FILE:
            self._ask()
        if self._bytes < weight + _FILE:
            left = in_words(max(0, self._bytes))
            return f"There is no room for it: {left} are left in your private storage."
        if self._counts_files and self._files < 1:
            return "There is no room for more files in your private storage."
        return ""

    def take(self, weight: int) -> None:
        """A copy of that many bytes begins."""
        self._taken += weight
        self._pending += weight + _FILE
        self._pending_files += 1
        self._bytes -= weight + _FILE
        self._files -= 1

    def settle(self, weight: int, *, kept: bool) -> None:
        """It has ended."""
        self._pending -= weight + _FILE
        self._pending_files -= 1
        if not kept:
            self._taken -= weight
            self._bytes += weight + _FILE
            self._files += 1

    def count(self, weight: int) -> None:
        """A file of that many bytes is there from before: the limit holds for it too."""
        self._taken += weight

    def full(self, weight: int) -> None:
        """A file of that many bytes did not find room, of bytes, of inodes or of a quota."""
        self._full_from = weight if self._full_from is None else min(weight, self._full_from)

    def _ask(self) -> None:
        status = os.statvfs(self._folder)
        reserve = min(_RESERVE, status.f_blocks * status.f_frsize // _SHARE)
        self._bytes = status.f_bavail * status.f_frsize - reserve - self._pending
        self._counts_files = bool(status.f_files)
        self._files = status.f_favail - _FILES - self._pending_files
        self._asked = time.monotonic()
