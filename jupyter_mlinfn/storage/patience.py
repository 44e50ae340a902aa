"""Questions to storage that may hang: each waits a moment, and one that hangs is not asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..threads import in_own_thread

Answer = TypeVar("Answer")

PATIENCE = 2.0
"""Seconds."""


class SilentError(Exception):
    """It did not answer in time, or has not answered the question before."""


@dataclass
class _Question:
    task: asyncio.Task[Any]
    deadline: float
    given_up: bool = field(default=False)


class Patience:
    """Lives on the event loop's thread.

    Args:
        late: called when something answers that was silent.
    """

    def __init__(self, late: Callable[[], None] = lambda: None, seconds: float = PATIENCE) -> None:
        self._late = late
        self._seconds = seconds
        self._open: dict[str, _Question] = {}

    async def ask(self, key: str, call: Callable[[], Answer], *, join: bool = True) -> Answer:
        """What `call` answers in a thread of its own.

        Args:
            key: who is asked: of each there is one thread at most, however long it hangs.
            join: the questions to it are all the same, so the answer to one that is under way will do;
                else that one is waited for.

        Raises:
            SilentError
            Exception: as `call` raises it.
        """
        loop = asyncio.get_running_loop()
        while not join and (other := self._open.get(key)) is not None:
            await self._wait(other)
        question = self._open.get(key)
        if question is None:
            task = asyncio.ensure_future(in_own_thread(f"mlinfn-storage {key}", call))
            question = self._open[key] = _Question(task, loop.time() + self._seconds)
            task.add_done_callback(lambda _: self._answered(key))
        await self._wait(question)
        answer: Answer = question.task.result()
        return answer

    async def _wait(self, question: _Question) -> None:
        """Raises:
        SilentError
        """
        left = question.deadline - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.wait([question.task], timeout=left)
        if not question.task.done():
            question.given_up = True
            raise SilentError
        # What is called back at its end comes first.
        await asyncio.sleep(0)

    def close(self) -> None:
        """Wait for nothing any more; threads that hang end with the process."""
        self._late = lambda: None
        for question in self._open.values():
            question.task.cancel()

    def _answered(self, key: str) -> None:
        question = self._open.pop(key)
        if not question.task.cancelled():
            # Asked for, so that it is not reported as never retrieved.
            question.task.exception()
        if question.given_up:
            self._late()
