"""How tests wait: for the thing itself, and with one limit that only what hangs reaches."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

PATIENCE = float(os.environ.get("MLINFN_PATIENCE", "600"))
"""Seconds. Less than what `make test` gives a whole test, so that whoever waited says for what it was;
`make test PATIENCE=20` for who mends a test that waits for the wrong thing."""

_SHORT, _LONG = 0.01, 0.2
"""Seconds between two looks: at first, and after a while."""


def wait_for(look: Callable[[], Any]) -> Any:
    """The first true thing that `look` gives.

    Raises:
        AssertionError: nothing in all the time that a test has patience for.
    """
    deadline = time.monotonic() + PATIENCE
    pause = _SHORT
    while not (found := look()):
        assert time.monotonic() < deadline, _nothing(look)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONG)
    return found


async def until(look: Callable[[], Any]) -> Any:
    """The first true thing that `look` gives, while the event loop goes on.

    Raises:
        AssertionError: as `wait_for`.
    """
    deadline = time.monotonic() + PATIENCE
    pause = _SHORT
    while not (found := look()):
        assert time.monotonic() < deadline, _nothing(look)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONG)
    return found


def _nothing(look: Callable[[], Any]) -> str:
    code = getattr(look, "__code__", None)
    where = f" (line {code.co_firstlineno} of {code.co_filename})" if code else f" ({look!r})"
    return f"it did not come in {PATIENCE:.0f} s{where}"
