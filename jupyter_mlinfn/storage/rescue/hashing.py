"""The hash of a file while it is read."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

BLOCK = 1 << 20
"""Bytes that are read at a time."""
_ZEROS = memoryview(bytes(BLOCK))


class Hash:
    """SHA-256, in a thread of its own for large files: hashlib lets others run meanwhile."""

    def __init__(self, buffers: list[memoryview], beside: ThreadPoolExecutor | None) -> None:
        self._sha256 = hashlib.sha256()
        self._buffers = buffers
        self._beside = beside
        self._at_work: deque[Future[None]] = deque()
        self._next = 0

    def buffer(self) -> memoryview:
        """One that may be written to until it is fed."""
        while len(self._at_work) >= len(self._buffers):
            self._at_work.popleft().result()
        self._next = (self._next + 1) % len(self._buffers)
        return self._buffers[self._next]

    def feed(self, data: memoryview) -> None:
        if self._beside is None:
            self._sha256.update(data)
        else:
            self._at_work.append(self._beside.submit(self._sha256.update, data))

    def zeros(self, count: int) -> None:
        self._settle()
        while count > 0:
            self._sha256.update(_ZEROS[:count])
            count -= BLOCK

    def hexdigest(self) -> str:
        self._settle()
        return self._sha256.hexdigest()

    def _settle(self) -> None:
        while self._at_work:
            self._at_work.popleft().result()
