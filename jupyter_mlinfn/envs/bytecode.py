"""Byte-compiling an environment after it is usable, at the lowest priority.

The engine writes no ``.pyc``; without them the first import of everything is slower (0.85 s
for ipykernel), with them creating takes four times as long. So it is done afterwards, by
the environment's own Python, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger(__name__)


class BytecodeCompiler:
    """Compiles environments one after the other; lives on the event loop's thread.

    Args:
        compiled: told of each environment that was compiled, and has grown by that.
        wanted: whether anything is compiled at all.
    """

    def __init__(self, compiled: Callable[[Path], None] = lambda _: None, *, wanted: bool = True) -> None:
        self._compiled = compiled
        self._wanted = wanted
        self._tasks: dict[Path, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    def start(self, prefix: Path) -> None:
        """Begin compiling the environment, if it has a Python."""
        if self._wanted and prefix not in self._tasks:
            task = asyncio.ensure_future(self._compile(prefix))
            self._tasks[prefix] = task
            task.add_done_callback(lambda _: self._tasks.pop(prefix, None))

    async def stop(self, prefix: Path | None = None) -> None:
        """End the compiling of one environment, or of all, and wait until it has ended."""
        tasks = [task for path, task in self._tasks.items() if prefix in (None, path)]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _compile(self, prefix: Path) -> None:
        async with self._turn:
            python = prefix / "bin" / "python"
            libraries = await asyncio.to_thread(lambda: sorted(prefix.glob("lib/python3*")))
            if not libraries or not python.exists():
                return
            process = await asyncio.create_subprocess_exec(
                *("nice", "-n", "19"),
                *(python, "-I", "-m", "compileall", "-qq", "-j", "1"),
                *(library for library in libraries if library.is_dir() and not library.is_symlink()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                env={"PATH": os.defpath, "HOME": str(prefix)},
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                raise
            # Not 0 where a package brings files that are no valid Python (templates): harmless.
            _log.debug("Compiled %s: exit code %s", prefix, code)
        self._compiled(prefix)
