"""What has to be looked for: the GPU and who holds it, terminals, resources, and whether the hub lets us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..threads import in_own_thread
from .around import Around
from .resources import Resources, read


class Survey:
    """Lives on the event loop's thread. Whatever takes its time is told of when it is there; what was
    seen last is kept.

    Args:
        changed: there is more to read.
        look_at_resources: blocks for some milliseconds.
    """

    def __init__(
        self,
        around: Around,
        changed: Callable[[], None],
        look_at_resources: Callable[[], Resources] = read,
    ) -> None:
        self._around = around
        self._changed = changed
        self._look_at_resources = look_at_resources
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gpu: Mapping[str, Any] | None = None
        self._resources: Resources | None = None
        self.terminals: Sequence[Mapping[str, Any]] | None = None
        """None before anybody has looked."""
        self.may_stop: bool | None = None

    def begin(self) -> None:
        """Look anew, or join who looks already."""
        self._go("gpu", self._look_at_gpu)
        self._go("terminals", self._look_at_terminals)
        self._go("hub", self._ask_hub)

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    @property
    def holders(self) -> Sequence[Mapping[str, Any]] | None:
        """Kernels, terminals and others with memory of the GPU; None before anybody has looked."""
        return self._gpu["holders"] if self._gpu is not None else None

    async def resources(self) -> dict[str, Any]:
        """`#/components/schemas/SessionAnswer/properties/resources`."""
        if self._resources is None:
            self._resources = await asyncio.to_thread(self._look_at_resources)
        names = self._around.gpus().names
        unread = [{"name": name, "memory_used": None, "memory_total": None} for name in names]
        return {
            "gpu": list(self._gpu["devices"]) if self._gpu is not None else unread,
            "cpus": self._resources.cpus,
            "memory_bytes": self._resources.memory_bytes,
        }

    def _go(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.ensure_future(self._run(name, look))

    async def _run(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except Exception:  # Managers, drivers and hubs fail in many ways: the rest is told.
            self._around.log.exception("Session: %s could not be looked at", name)
        finally:
            del self._tasks[name]
        self._changed()

    async def _look_at_gpu(self) -> None:
        self._gpu = await self._around.gpu()

    async def _look_at_terminals(self) -> None:
        open_ones = await self._around.terminals()
        if not open_ones:
            self.terminals = ()
            return
        # psutil is not imported by a server that starts.
        from .terminals import programs

        self.terminals = await in_own_thread("mlinfn-terminals", lambda: programs(open_ones))

    async def _ask_hub(self) -> None:
        self.may_stop = await (await self._around.end()).may_stop()
