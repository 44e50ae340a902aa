"""The room before anybody is in it: a server that starts imports nothing more for it than this."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import TYPE_CHECKING, Any

from .around import Around

if TYPE_CHECKING:
    from .service import SessionService


class SessionRoom:
    """Makes the service when it is first needed; lives on the event loop's thread. To be made when the
    server starts: it tells what happened before that.
    """

    def __init__(self, around: Around) -> None:
        self._around = around
        self._started = time.time()
        self._service: SessionService | None = None

    async def service(self) -> SessionService:
        """Everything else; it is imported in a thread, for the loop not to wait."""
        if self._service is None:
            module = await asyncio.to_thread(importlib.import_module, ".service", __package__)
            # Somebody else may have come first.
            if self._service is None:
                self._service = module.SessionService(self._around, started=self._started)
        return self._service

    def freed(self) -> dict[str, Any]:
        """What a stop gives back, as far as it is known; to be called in a thread."""
        from .resources import read

        gpus, resources = self._around.gpus(), read()
        return {
            "gpu": list(gpus.names),
            "slices": gpus.slices,
            "cpus": resources.cpus,
            "memory_bytes": resources.memory_bytes,
        }

    def moved(self) -> None:
        """Pages, kernels or the end of this server have something new."""
        if self._service is not None:
            self._service.moved()

    def counted(self) -> None:
        """There is something new of files that would be lost."""
        if self._service is not None:
            self._service.counted()

    def close(self) -> None:
        """Waits for nobody."""
        if self._service is not None:
            self._service.close()
