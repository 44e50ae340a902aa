"""The room before anybody is in it: a server that starts imports nothing more for it than this."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from .config import IdleConfig
    from .service import IdleService

FIRST_LOOK = 2.0
"""Seconds after its start at which a server begins to watch: others are done by then."""


class IdleRoom:
    """Makes the service when it is first needed; lives on the event loop's thread.

    Args:
        config: the admin's decisions.
        server: the `ServerApp`; None for a command line, where nothing is idle.
        environment: of this process.
        changed: what pages have to read is another.
        state, anchor: where the record of a stop is written; see `last_stop.LastStop`.
    """

    def __init__(
        self,
        config: IdleConfig,
        server: Any = None,
        *,
        environment: Mapping[str, str] | None = None,
        changed: Callable[[], None] = lambda: None,
        state: Path,
        anchor: Path,
    ) -> None:
        self._config = config
        self._server = server
        self._environment = dict(environment or {})
        self._changed = changed
        self._state, self._anchor = state, anchor
        self._started = time.monotonic()
        self._service: IdleService | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._starting: asyncio.Task[None] | None = None

    async def service(self) -> IdleService:
        """Everything else; it is imported in a thread, for the loop not to wait."""
        if self._service is None:
            building = await asyncio.to_thread(importlib.import_module, ".building", __package__)
            # Somebody else may have come first.
            if self._service is None:
                self._service = building.build(
                    self._config,
                    self._server,
                    started=self._started,
                    environment=self._environment,
                    changed=self._changed,
                    state=self._state,
                    anchor=self._anchor,
                )
        return self._service

    def start(self) -> None:
        """Begin to watch, some seconds later."""
        self._timer = asyncio.get_running_loop().call_later(FIRST_LOOK, self._start_soon)

    def close(self) -> None:
        """Waits for nobody."""
        if self._timer is not None:
            self._timer.cancel()
        if self._starting is not None:
            self._starting.cancel()
        if self._service is not None:
            self._service.close()

    def _start_soon(self) -> None:
        self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        (await self.service()).start()
