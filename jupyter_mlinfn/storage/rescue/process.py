"""The worker process from the server's side: start, ask, kill."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import DependencyError, from_json
from ..count import GONE_WITHIN

_LINE_LIMIT = 16 * 1024 * 1024
"""An answer names 200 files of 4,096 bytes at most, each of them six characters in JSON."""
_STARTS_WITHIN = 60.0
"""Seconds for a process to start, of which a busy machine takes some, whatever the storage does."""
_MAIN = Path(__file__).resolve().parent / "__main__.py"

HANGS = "Try again in a minute; if it stays so, tell your administrator."


async def ask(
    request: Mapping[str, Any],
    on_progress: Callable[[Mapping[str, Any]], None] = lambda _: None,
    *,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Have a request answered, see `__main__`; whoever cancels this ends the process with its group.

    To be called on a thread that lives as long as that is to: the kernel kills it with the thread.

    Args:
        timeout: seconds, from when the process has started; None: as long as it takes.
    Raises:
        MlinfnError: what the process reported; DependencyError when it died, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-X", "utf8", str(_MAIN), str(os.getpid()), str(_MAIN.parents[3])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise ValueError("two pipes are needed")
    within = None if timeout is None else _STARTS_WITHIN
    try:
        # It takes the request from now on, or has ended.
        await asyncio.wait_for(stdout.readline(), within)
        within = timeout
        return await asyncio.wait_for(_follow(process, stdin, stdout, request, on_progress), within)
    except asyncio.TimeoutError:
        raise DependencyError(
            "Your private storage does not answer.", reason=f"Not within {within:.0f} s.", hint=HANGS
        ) from None
    finally:
        await _end(process, stdin)


async def _follow(
    process: asyncio.subprocess.Process,
    stdin: asyncio.StreamWriter,
    stdout: asyncio.StreamReader,
    request: Mapping[str, Any],
    on_progress: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(json.dumps(request).encode() + b"\n")
        await stdin.drain()
    while line := await stdout.readline():
        message: dict[str, Any] = json.loads(line)
        if message["type"] == "result":
            return dict(message["result"])
        if message["type"] == "error":
            raise from_json(message["error"])
        on_progress(message)
    code = await process.wait()
    killed = code == -signal.SIGKILL
    raise DependencyError(
        "The copying was ended from outside." if killed else "The copying ended without an answer.",
        reason="Something killed its process: probably the memory of the server ran out."
        if killed
        else f"Exit code {code}.",
        hint="What was copied is kept. Try again: it goes on where it was.",
    )


async def _end(process: asyncio.subprocess.Process, stdin: asyncio.StreamWriter) -> None:
    if process.returncode is None:
        # The group may outlive its leader for a moment; then there is nothing left to do.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    stdin.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), GONE_WITHIN)
