"""One running job: its progress, its log, and when others are told of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ..times import now
from ..uninterrupted import in_thread
from .journal import Journal
from .models import Job, Progress

TOLD_EVERY = 0.25
"""Seconds between two notices of one job: fast enough for a bar, slow enough for a network."""

_JOURNALLED_EVERY = 2.0
"""Seconds between two writes of mere progress; changes of state are written at once."""


class RunningJob:
    """The context that work is given (`models.JobContext`); lives on the event loop's thread."""

    def __init__(self, job: Job, journal: Journal, changed: Callable[[str], None]) -> None:
        self._job = job
        self._journal = journal
        self._changed = changed
        self._lines: list[dict[str, str]] = []
        self._flush: asyncio.TimerHandle | None = None
        self._flushing = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._journalled = asyncio.get_running_loop().time()
        self.journalled = True
        """Whether the last change of state could be written."""

    @property
    def job(self) -> Job:
        return self._job

    def progress(self, progress: Progress) -> None:
        self._job.progress = progress
        self._flush_soon()

    def log(self, text: str) -> None:
        time = now()
        self._lines.extend({"time": time, "text": line} for line in text.splitlines())
        self._flush_soon()

    def warn(self, text: str) -> None:
        if text not in self._job.warnings:
            self._job.warnings.append(text)
        self.log(text)

    async def write(self, **changes: Any) -> None:
        """Change fields of the job, journal it, and tell that it changed.

        Storage that does not answer is no reason to stop the work: it fails by itself, with
        a better message, when it needs the storage.
        """
        for name, value in changes.items():
            setattr(self._job, name, value)
        await self.flush()
        self._journalled = asyncio.get_running_loop().time()
        self.journalled = await self._journal_it()
        self._changed(self._job.id)

    async def flush(self) -> None:
        """Write the log lines that are waiting."""
        async with self._flushing:
            lines, self._lines = self._lines, []
            if lines:
                await self._in_thread(self._journal.append_log, self._job.id, lines)

    async def settle(self) -> None:
        """Wait for what is being written, and stop the clock."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        await asyncio.gather(*self._flushes)
        await self.flush()

    def _flush_soon(self) -> None:
        # Asked each time, so that work that speaks from another thread fails each time and not now and then.
        loop = asyncio.get_running_loop()
        if self._flush is None:
            self._flush = loop.call_later(TOLD_EVERY, self._start_flush)

    def _start_flush(self) -> None:
        self._flush = None
        task = asyncio.ensure_future(self._flush_and_tell())
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)

    async def _flush_and_tell(self) -> None:
        await self.flush()
        time = asyncio.get_running_loop().time()
        if time - self._journalled >= _JOURNALLED_EVERY:
            self._journalled = time
            await self._journal_it()
        self._changed(self._job.id)

    async def _journal_it(self) -> bool:
        # One after the other: an older state must not be written over a newer one.
        async with self._writing:
            return await self._in_thread(self._journal.write, self._job)

    async def _in_thread(self, write: Callable[..., None], *args: Any) -> bool:
        try:
            await in_thread(write, *args)
        except OSError as error:
            logging.getLogger(__name__).warning("Job %s: cannot write its journal: %s", self._job.id, error)
            return False
        return True
