"""The room before anybody is in it: a server that starts imports nothing more for it than this."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import StorageConfig
    from .service import StorageService


class StorageRoom:
    """Makes the service when it is first needed; lives on the event loop's thread. To be made when the
    server starts: files that are older are none of its user's.

    Args:
        config: the admin's decisions.
        root: what JupyterLab shows.
        environments: the user's own.
        private_dir, shared: the traits of the folder that lasts and of the shared environments.
        changed: there is something new to read.
        wall, monotonic: clocks, seconds.
    """

    def __init__(
        self,
        config: StorageConfig,
        root: Path,
        environments: Path,
        *,
        private_dir: str = "",
        shared: Sequence[str] = (),
        changed: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._root, self._environments = config, root, environments
        self._private_dir, self._shared = private_dir, shared
        self._changed = changed
        self._wall, self._monotonic = wall, monotonic
        self._started = wall(), monotonic()
        self._service: StorageService | None = None
        self.made: Callable[[StorageService], None] = lambda service: None
        """Called with the service before anybody else has it."""

    async def service(self) -> StorageService:
        """Everything else; it is imported in a thread, for the loop not to wait."""
        if self._service is None:
            module = await asyncio.to_thread(importlib.import_module, ".service", __package__)
            finder = await asyncio.to_thread(importlib.import_module, ".folders", __package__)
            # Somebody else may have come first.
            if self._service is None:
                self._service = module.StorageService(
                    lambda blindly: finder.find(
                        self._config,
                        self._root,
                        self._environments,
                        self._private_dir,
                        self._shared,
                        blindly=blindly,
                    ),
                    since=self.since,
                    ignored=list(self._config.rescue_ignored),
                    changed=self._changed,
                )
                self.made(self._service)
        return self._service

    def known(self) -> dict[str, Any] | None:
        """See `StorageService.ephemeral`; None where nobody has asked for anything yet."""
        return self._service.ephemeral() if self._service is not None else None

    def since(self) -> float:
        """When this server started, seconds since the epoch, by the clock that files bear: one that was
        set back since would make them older than the server."""
        epoch, moment = self._started
        now = self._wall() - (self._monotonic() - moment)
        # The kernel's clock for files is some milliseconds behind.
        return min(epoch, now) - 1.0

    async def close(self) -> None:
        """Waits for no storage."""
        if self._service is not None:
            await self._service.close()
