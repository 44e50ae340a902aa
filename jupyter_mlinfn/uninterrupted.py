"""Steps that a cancellation must not tear: a thread at work cannot be stopped half way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


async def to_the_end(work: Awaitable[Result]) -> tuple[Result, bool]:
    """Wait until `work` has ended, whoever cancels the waiting meanwhile.

    Returns:
        Its result, and whether somebody asked for a cancellation, which the caller then has
        to honour or to ignore.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    return task.result(), cancelled


async def in_thread(step: Callable[..., Result], *args: Any) -> Result:
    """Run `step` in a thread; a cancellation is let through once the step has ended.

    `asyncio.to_thread` lets it through at once, and the thread goes on behind the back of
    whoever then clears up.
    """
    result, cancelled = await to_the_end(asyncio.to_thread(step, *args))
    if cancelled:
        raise asyncio.CancelledError
    return result
