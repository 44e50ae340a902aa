"""Calls that may hang: storages, mail servers, /proc of a sick machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(name: str, call: Callable[[], T]) -> T:
    """What a call that blocks answers or raises.

    Not in the loop's pool: a server waits for the threads of that at its end, and would wait for ever for
    one that hangs. Whoever gives up waiting leaves the thread behind.

    Args:
        name: of the thread.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(answer: Callable[[], None]) -> None:
        if not done.done():
            answer()

    def run() -> None:
        try:
            value = call()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failed = error
            answer = lambda: done.set_exception(failed)  # noqa: E731
        else:
            answer = lambda: done.set_result(value)  # noqa: E731
        # Of a loop that is closed: nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, answer)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
