"""The room before anybody is in it: a server that starts imports nothing more for the GPU than this."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Device
    from .release import Programs
    from .service import GpuService

FIRST_LOOK = 5.0
"""Seconds after its start at which a server looks whether there is a GPU: others are done by then."""


class GpuRoom:
    """Makes the service when it is first needed; lives on the event loop's thread.

    Args:
        programs: what runs in this server; None: nothing, as in a command line.
        changed: the state of the GPU is another.
        accounting: keep the account of use.
    """

    def __init__(
        self,
        programs: Programs | None = None,
        *,
        changed: Callable[[], None] = lambda: None,
        accounting: bool = True,
    ) -> None:
        self._programs = programs
        self._changed = changed
        self._accounting = accounting
        self._service: GpuService | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._starting: asyncio.Task[None] | None = None
        self.driver_known: Callable[[str | None, str | None], None] = lambda cuda, version: None
        """Called when the driver says, or says another, newest CUDA that it supports and version of its
        own; both None: there is no GPU."""

    async def service(self) -> GpuService:
        """Everything else; it is imported in a thread, for the loop not to wait."""
        if self._service is None:
            module = await asyncio.to_thread(importlib.import_module, ".service", __package__)
            # Somebody else may have come first.
            if self._service is None:
                self._service = module.GpuService(
                    self._programs or module.NoPrograms(),
                    changed=self._changed,
                    driver_known=lambda cuda, version: self.driver_known(cuda, version),
                    accounting=self._accounting,
                )
        return self._service

    def start(self) -> None:
        """Begin the account of use and the gauges, some seconds later."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FIRST_LOOK, self._start_soon)

    async def ask_driver(self) -> tuple[str | None, str | None] | None:
        """See `GpuService.ask_driver`."""
        return await (await self.service()).ask_driver()

    async def devices(self) -> Sequence[Device] | None:
        """The user's; None where the driver does not tell now, or it is not clear which they are."""
        service = await self.service()
        await service.ask_driver()
        picture = service.sampler.picture
        selection = picture.seen.selection
        return None if selection.ambiguous or not picture.state.readable else selection.devices

    @property
    def held(self) -> Sequence[Device]:
        """The user's devices as they were last seen, without looking; none where it is not clear."""
        if self._service is None:
            return ()
        selection = self._service.sampler.picture.seen.selection
        return () if selection.ambiguous else selection.devices

    async def reading(self) -> dict[str, Any]:
        """See `GpuService.reading`."""
        return await (await self.service()).reading()

    @property
    def simulated(self) -> bool:
        """Whether the driver that was heard is the demo's or the tests'."""
        return self._service is not None and self._service.sampler.picture.seen.simulated

    async def busy(self) -> bool:
        """Whether a kernel is running a cell while the user has a GPU, as far as one was looked for."""
        return self._service is not None and await self._service.busy()

    def close(self) -> None:
        """Waits for nobody: the driver may hang."""
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
