"""Has the files that would be lost counted by another process, and follows it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .walk import Plan

SILENT_AFTER = 20.0
"""Seconds without a word of the process that counts, which says something five times a second."""

LONGEST = 900.0
"""Seconds for a count altogether."""

GONE_WITHIN = 10.0
"""Seconds for a killed process to go, of which a busy machine takes some; one that hangs in the kernel is
left to itself."""
_LINE_LIMIT = 32 * 1024 * 1024
"""A thousand names of 4,096 bytes, each of them six characters in JSON at most."""

_PACKAGES = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path.insert(0, sys.argv[1]); from jupyter_mlinfn.storage.tally import main; main()"


class CountError(Exception):
    """A count came to no end; says why, a sentence."""


async def count(
    plan: Plan,
    folder: str | None,
    limit: int,
    progress: Callable[[dict[str, Any]], None] = lambda _: None,
    *,
    silent_after: float = SILENT_AFTER,
    longest: float = LONGEST,
) -> dict[str, Any]:
    """What `tally.Tally.to_json` gives at the end; whoever cancels this ends the process.

    Args:
        folder, limit: see `tally.Tally`.
        progress: is told how far it has come, as of `to_json`.

    Raises:
        CountError: the storage hangs, it takes too long, or the process died.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _START, _PACKAGES),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        cwd="/",
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    try:
        return await asyncio.wait_for(_follow(process, plan, folder, limit, progress, silent_after), longest)
    except asyncio.TimeoutError:
        raise CountError("Counting them took too long.") from None
    finally:
        await _end(process)


async def _follow(
    process: asyncio.subprocess.Process,
    plan: Plan,
    folder: str | None,
    limit: int,
    progress: Callable[[dict[str, Any]], None],
    silent_after: float,
) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("two pipes are needed")
    request = {"plan": plan.to_json(), "folder": folder, "limit": limit}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
    while True:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), silent_after)
        except asyncio.TimeoutError:
            raise CountError(f"The storage did not answer for {silent_after:.0f} s.") from None
        if not line:
            raise CountError("The process that counted them ended without an answer.")
        answer: dict[str, Any] = json.loads(line)
        if answer.pop("done"):
            return answer
        progress(answer)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), GONE_WITHIN)
